import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** What a service answers to one request, or does in place of an answer. */
export interface Scripted {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The socket is closed before the answer, or in its middle. */
  readonly cut?: 'before' | 'within';
}

interface SentRequest {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An endpoint that plays a script: an answer for each request, and the last one again for those that follow. */
export class ScriptedEndpoint {
  readonly requests: SentRequest[] = [];
  #script: readonly Scripted[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      this.requests.push({ headers: request.headers, body: await text(request) });
      const index = Math.min(this.requests.length, this.#script.length) - 1;
      play(this.#script[index] ?? { status: 200, body: '{}' }, response);
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`; // it listens on TCP
  }

  /** From the next request on. */
  script(...answers: readonly Scripted[]): void {
    this.#script = answers;
    this.requests.length = 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function play({ status, body, headers, cut }: Scripted, response: ServerResponse): void {
  if (cut === 'before') return void response.socket?.destroy();
  response.writeHead(status, {
    'x-amzn-requestid': 'REQUEST',
    'content-type': 'application/x-amz-json-1.0',
    'content-length': Buffer.byteLength(body) + (cut === 'within' ? 1 : 0),
    ...headers,
  });
  if (cut === 'within') response.write(body, () => response.socket?.destroy());
  else response.end(body);
}
