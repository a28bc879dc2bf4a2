import { openSockets } from '../../aws/http/sockets.ts';
import type { Transport, TransportOptions } from '../../aws/http/transport.ts';
import { RequestWriter } from './request.ts';
import type { SignedRequest } from './signer.ts';

/** An answer is a few hundred bytes. */
const READ_BYTES = 4 * 1024;

/** The transport of posts. */
export function createSockets(options: TransportOptions): Transport<SignedRequest> {
  const { host } = new URL(options.endpoint);
  return openSockets(options, { createWriter: () => new RequestWriter(host), readBytes: READ_BYTES });
}
