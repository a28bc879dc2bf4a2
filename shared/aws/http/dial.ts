import { isIP, type OnReadOpts, connect as openTcp, type Socket } from 'node:net';
import { createSecureContext, connect as openTls } from 'node:tls';
import type { TransportOptions } from './transport.ts';

interface Dialled {
  readonly socket: Socket;
  /** The event after which the peer is verified; nothing may be written before. */
  readonly ready: 'connect' | 'secureConnect';
}
/** Opens a socket to the endpoint. */
export type Dial = (onread?: OnReadOpts) => Dialled;

/** One secure context for all sockets, and each resumes the session of another: a new handshake costs as much as 30 posts. */
export function createDial({ endpoint, ca }: TransportOptions): Dial {
  const { protocol, hostname, port } = new URL(endpoint);
  const host = hostname.replace(/^\[|\]$/g, ''); // IPv6
  const options = { host, port: Number(port), noDelay: true };
  if (protocol === 'http:') {
    const tcp = { ...options, port: options.port || 80 };
    return (onread) => ({ socket: openTcp(onread ? { ...tcp, onread } : tcp), ready: 'connect' });
  }
  const tls = {
    ...options,
    port: options.port || 443,
    servername: isIP(host) ? '' : host,
    ALPNProtocols: ['http/1.1'],
    secureContext: createSecureContext(ca === undefined ? {} : { ca }),
  };
  let session: Buffer | undefined;
  return (onread) => {
    const socket = openTls({ ...tls, ...(session && { session }), ...(onread && { onread }) });
    socket.on('session', (next: Buffer) => {
      session = next;
    });
    socket.on('error', () => {
      session = undefined; // a session that the peer no longer takes may be the reason
    });
    return { socket, ready: 'secureConnect' };
  };
}
