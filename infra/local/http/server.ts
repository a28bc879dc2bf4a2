import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import {
  type HttpEngine,
  type HttpRequest,
  type HttpResponse,
  type StageEngine,
  writeJson,
} from './engine.ts';
import type { CallerDeath, CallerFaults } from './faults.ts';
import { plugIn } from './loopback/plug.ts';
import { readWhole, WholeResponse } from './loopback/whole.ts';

/** The largest request that an AWS service here takes is a BatchWriteItem of 16 MB. */
const BODY_BYTES_MAX = 17 * 1024 * 1024;
const KEEP_ALIVE_MS = 60_000;
/** Only this machine can reach it. */
const HOST = '127.0.0.1';

export interface File {
  readonly contentType: string;
  readonly body: string;
}

/** What the one port serves. */
interface Services {
  /** By stage. The first also answers for paths that are no stage's. */
  readonly gateways: ReadonlyMap<string, StageEngine>;
  /** By what `X-Amz-Target` says before its dot. */
  readonly engines: ReadonlyMap<string, HttpEngine>;
  /** By path. */
  readonly files: ReadonlyMap<string, File>;
  /** What `GET /_fanwire/health` answers. */
  readonly health: unknown;
  /** By path: what controls the system itself. */
  readonly controls?: ReadonlyMap<string, HttpEngine>;
  readonly faults?: CallerFaults | undefined;
}

const HEALTH_PATH = '/_fanwire/health';

/** One port for everything: WebSockets, @connections, every AWS service, the page. Until `serve` it answers 503. */
export class LocalServer {
  readonly #server: Server;
  readonly #report: (error: unknown) => void;
  #services: Services | undefined;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
    this.#server = createServer((request, response) => this.#handle(request, response));
    // A frozen Lambda leaves its sockets idle for long; Node's five seconds would close them under it all the time.
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Answers with the port: the one asked for, or a free one for 0. */
  async listen(port: number): Promise<number> {
    const listening = Promise.withResolvers<void>();
    this.#server.once('error', listening.reject);
    this.#server.listen(port, HOST, listening.resolve);
    await listening.promise;
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  serve(services: Services): void {
    this.#services = services;
  }

  /** Serves a thread of this process as if it had dialled the port. */
  plugIn(messages: MessagePort): void {
    plugIn(messages, {
      answer: (bytes, reply) => this.#answerWhole(bytes, reply),
      accept: (connection) => void this.#server.emit('connection', connection),
    });
  }

  async close(): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    this.#server.closeAllConnections();
    await closed.promise;
  }

  /** Without the detour of a stream. */
  #answerWhole(bytes: Buffer, reply: (response: Uint8Array | undefined) => void): boolean {
    const request = readWhole(bytes);
    if (!request || request.body.length > BODY_BYTES_MAX) return false;
    const response = new WholeResponse(reply);
    const cut = (): void => reply(undefined);
    this.#perform(request, request.body, response, cut).catch((error: unknown) => {
      this.#report(error);
      plain(response, 500, 'InternalFailure');
    });
    return true;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const gateway = this.#services && gatewayOf(this.#services, request);
    if (gateway) gateway.upgrade(request, socket, head);
    else socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n');
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
    });
    request.on('end', () => {
      if (bytes > BODY_BYTES_MAX) return plain(response, 413, `expected at most ${BODY_BYTES_MAX} bytes`);
      const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      const cut = (): void => void response.destroy();
      this.#perform(request, body, response, cut).catch((error: unknown) => {
        this.#report(error);
        if (response.headersSent) response.destroy();
        else plain(response, 500, 'InternalFailure');
      });
    });
  }

  /** Answers the request, unless its caller dies at it: then `cut` ends the connection. */
  #perform(request: HttpRequest, body: Buffer, response: HttpResponse, cut: () => void): Promise<void> {
    const death = this.#services?.faults?.deathAt?.(request);
    return death ? this.#letDie(death, request, body, cut) : this.#dispatch(request, body, response);
  }

  async #letDie(death: CallerDeath, request: HttpRequest, body: Buffer, cut: () => void): Promise<void> {
    const unheard = new WholeResponse(() => {});
    try {
      if (death.isPerformed) await this.#dispatch(request, body, unheard);
    } finally {
      death.kill();
      cut();
    }
  }

  async #dispatch(request: HttpRequest, body: Buffer, response: HttpResponse): Promise<void> {
    const services = this.#services;
    if (!services) return plain(response, 503, 'starting');
    const target = request.headers['x-amz-target'];
    if (typeof target === 'string') {
      const service = target.slice(0, target.indexOf('.'));
      const engine = services.engines.get(service);
      if (engine) return engine.handle(request, body, response);
      return plain(
        response,
        400,
        `expected one of ${[...services.engines.keys()].join(', ')}, got ${service}`,
      );
    }
    if (gatewayOf(services, request)?.manage(request, body, response)) return;
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    if (path === HEALTH_PATH) return writeJson(response, 200, services.health);
    const control = services.controls?.get(path);
    if (control) return control.handle(request, body, response);
    const file = services.files.get(path);
    if (!file) return plain(response, 404, 'not found');
    response.writeHead(200, { 'content-type': file.contentType, 'cache-control': 'no-cache' }).end(file.body);
  }
}

function gatewayOf(
  { gateways }: Services,
  { url = '' }: Pick<IncomingMessage, 'url'>,
): StageEngine | undefined {
  const [, stage = ''] = url.split(/[/?]/, 2);
  return gateways.get(stage) ?? gateways.values().next().value;
}

function plain(response: HttpResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}
