import { SocketHandler } from './handler.ts';
import { RequestSigner, type SignerConfig } from './signer.ts';

/** What it takes of an SDK client to make it lean. */
export interface SdkClient {
  readonly config: SignerConfig;
  readonly middlewareStack: { remove(name: string): boolean };
}

/**
 * An SDK client that takes half of the usual processor time for a call (`npm run bench -- calls`): with a signer and
 * sockets of our own, and without its logger, which walks through all of every answer to leave out what is secret, even
 * where nothing is logged.
 */
export function lean<C extends SdkClient, Options extends object>(
  Class: new (options: Options) => C,
  options?: Options,
): C {
  const requestHandler = new SocketHandler();
  const signer = async () => ours;
  const client = new Class({ requestHandler, signer, ...options } as Options);
  const ours = new RequestSigner(client.config);
  client.middlewareStack.remove('loggerMiddleware');
  return client;
}
