import { createHash, createHmac } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import { createServer as createTls, type TLSSocket } from 'node:tls';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Certificate } from './certificate.ts';

export const REGION = 'eu-west-1';
export const CREDENTIALS = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret', sessionToken: 'token/+=' };

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly connectionId: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly socket: Socket;
  /** How many requests came on its socket before it. */
  readonly before: number;
}
/** Answers a request, sooner or later or not at all. */
export type Behaviour = (request: Received) => void;

/** What an answer looks like on the wire: status and headers, then the body. */
export const answer = (head: string, body = ''): string =>
  `HTTP/1.1 ${head}\r\nx-amzn-requestid: 1-2-3\r\ndate: ${new Date().toUTCString()}\r\n` +
  `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/**
 * The @connections endpoint for tests of transports: a server of bytes, which can misbehave in every way. The connection id
 * decides, through `behaviours`; an id that is not in there gets 200.
 */
export class PostingEndpoint extends EventEmitter {
  readonly received: Received[] = [];
  readonly sockets = new Set<Socket>();
  socketsAtMost = 0;
  socketsOpened = 0;
  sessionsReused = 0;
  readonly #behaviours: Readonly<Record<string, Behaviour>>;
  readonly #server: Server;

  constructor(behaviours: Readonly<Record<string, Behaviour>>, certificate?: Certificate) {
    super();
    this.setMaxListeners(0);
    this.#behaviours = behaviours;
    const serve = (socket: Socket): void => this.#serve(socket);
    this.#server = certificate ? createTls(certificate, serve) : createTcp(serve);
    this.#server.on('tlsClientError', () => {}); // a client that does not trust it
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '0.0.0.0');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port; // it listens on TCP
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Resolves once a request for the connection has come. */
  async request(connectionId: string): Promise<Received> {
    for (;;) {
      const found = this.received.find((request) => request.connectionId === connectionId);
      if (found) return found;
      await once(this, 'request');
    }
  }

  async noSockets(): Promise<void> {
    while (this.sockets.size > 0) await once(this, 'close');
  }

  #serve(socket: Socket): void {
    this.sockets.add(socket);
    this.socketsOpened++;
    this.socketsAtMost = Math.max(this.socketsAtMost, this.sockets.size);
    if ('isSessionReused' in socket && (socket as TLSSocket).isSessionReused()) this.sessionsReused++;
    let pending = Buffer.alloc(0);
    let before = 0;
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      for (let taken = take(pending); taken; taken = take(pending)) {
        pending = pending.subarray(taken.length);
        this.#answer({ ...taken.request, socket, before: before++ });
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.emit('close');
    });
  }

  #answer(request: Received): void {
    this.received.push(request);
    const behaviour = this.#behaviours[request.connectionId];
    if (behaviour) behaviour(request);
    else request.socket.write(answer('200 OK'));
    this.emit('request');
  }
}

type Parsed = Omit<Received, 'socket' | 'before'>;

/** The first whole request. */
function take(bytes: Buffer): { readonly request: Parsed; readonly length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [start = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const [method = '', path = ''] = start.split(' ');
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  const length = end + 4 + Number(headers['content-length'] ?? 0);
  if (bytes.length < length) return undefined;
  const connectionId = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
  return { request: { method, path, connectionId, headers, body: bytes.subarray(end + 4, length) }, length };
}

/** As @smithy/signature-v4 wants it. */
export class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Uint8Array);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  digest = async (): Promise<Uint8Array> => this.#hash.digest();
}

/** The Authorization that the SDK would have given this request. */
export async function signatureOf({ method, path, headers, body }: Received): Promise<string | undefined> {
  const signer = new SignatureV4({
    service: 'execute-api',
    region: REGION,
    credentials: CREDENTIALS,
    sha256: Sha256,
    applyChecksum: false,
  });
  const names = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? [];
  const signed = Object.fromEntries(names.map((name) => [name, headers[name] ?? '']));
  const hostname = headers.host ?? '';
  const unsigned = { method, protocol: 'https:', hostname, path, query: {}, headers: signed, body };
  const time = headers['x-amz-date']?.replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5') ?? '';
  return (await signer.sign(unsigned, { signingDate: new Date(time) })).headers.authorization;
}
