import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import { owned } from '../owned.ts';
import { Bodies } from './bodies.ts';
import {
  bodyBytesMaxOf,
  type HttpEngine,
  type HttpRequest,
  type HttpResponse,
  type StageEngine,
  writeError,
  writeJson,
} from './engine.ts';
import type { CallerDeath, CallerFaults } from './faults.ts';
import { type File, fileEngine } from './files.ts';
import { plugIn } from './loopback/plug.ts';
import { readWhole, WholeResponse } from './loopback/whole.ts';
import { Origins } from './origins.ts';
import { type Served, unserved } from './unserved.ts';
import { isWebSocketUpgrade, refuse } from './upgrade.ts';

const KEEP_ALIVE_MS = 60_000;
/** Only this machine can reach it. */
const HOST = '127.0.0.1';
const NO_BODY = Buffer.alloc(0);

/** What the one port serves. */
interface Services {
  /** By stage. The first also answers for paths that are no stage's. */
  readonly gateways: ReadonlyMap<string, StageEngine>;
  /** By the path, of two segments, that is their root. */
  readonly httpApis?: ReadonlyMap<string, HttpEngine>;
  /** By what `X-Amz-Target` says before its dot. */
  readonly engines: ReadonlyMap<string, HttpEngine>;
  /** All that run, as requests are signed for them. */
  readonly serviceNames: readonly string[];
  /** By path. */
  readonly files: ReadonlyMap<string, File>;
  /** What `GET /_fanwire/health` answers. */
  readonly health: unknown;
  /** By path: what controls the system itself. */
  readonly controls?: ReadonlyMap<string, HttpEngine>;
  readonly faults?: CallerFaults | undefined;
}

const HEALTH_PATH = '/_fanwire/health';

const STARTING: HttpEngine = {
  bodyBytesMax: () => 0,
  handle: (_request, _body, response) => plain(response, 503, 'starting'),
};
const NOT_FOUND: HttpEngine = {
  bodyBytesMax: () => 0,
  handle: (_request, _body, response) => plain(response, 404, 'not found'),
};

/** Answers whom the port does not serve; SDKs read it, and so do people. */
const refusing = (objection: string): HttpEngine => ({
  bodyBytesMax: () => 0,
  handle: (_request, _body, response) => writeError(response, 403, 'ForbiddenException', objection),
});

/** One port for everything: WebSockets, @connections, every AWS service, the page. Until `serve` it answers 503. */
export class LocalServer {
  readonly #server: Server;
  readonly #report: (error: unknown) => void;
  readonly #origins: Origins;
  readonly #bodies = new Bodies();
  #services: Services | undefined;
  #served: Served = { services: [], stages: [] };
  /** Of files, of what controls the system, and of its health. */
  #engineOfPath: ReadonlyMap<string, HttpEngine> = new Map();

  constructor(report: (error: unknown) => void, origins = new Origins()) {
    this.#report = report;
    this.#origins = origins;
    this.#server = createServer({ shouldUpgradeCallback: isWebSocketUpgrade }, (request, response) =>
      this.#receive(request, response),
    );
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
    this.#server.off('error', listening.reject);
    this.#server.on('error', this.#report); // too many sockets for this process: those that are there go on
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  serve(services: Services): void {
    const { files, controls = new Map<string, HttpEngine>(), health } = services;
    this.#engineOfPath = new Map<string, HttpEngine>([
      ...[...files].map(([path, file]) => [path, fileEngine(file)] as const),
      ...controls,
      [HEALTH_PATH, { handle: (_request, _body, response) => writeJson(response, 200, health) }],
    ]);
    this.#served = { services: services.serviceNames, stages: [...services.gateways.keys()] };
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
    if (!request) return false;
    const engine = this.#engineOf(request);
    if (request.body.length > bodyBytesMaxOf(engine, request)) return false;
    const response = new WholeResponse(reply);
    const cut = (): void => reply(undefined);
    this.#perform(engine, request, request.body, response, cut).catch((error: unknown) => {
      this.#report(error);
      writeFailure(response);
    });
    return true;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A client may reset before anybody else listens; an error without a listener would end the process.
    socket.on('error', () => socket.destroy());
    const objection = this.#origins.objectionTo(request);
    if (objection !== undefined) {
      refuse(socket, 403, JSON.stringify({ message: objection }));
      return;
    }
    request.url = originForm(request.url);
    const gateway = this.#services && gatewayOf(this.#services, request);
    if (gateway) gateway.upgrade(request, socket, head);
    else refuse(socket, 503);
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', this.#report);
    request.url = originForm(request.url);
    const engine = this.#engineOf(request);
    const bytesMax = bodyBytesMaxOf(engine, request);
    if (bytesMax === 0) return void this.#answer(engine, request, NO_BODY, response);
    this.#bodies.read(request, response, bytesMax, (body) => {
      if (body === 'too large' && engine.refuseBody) {
        engine.refuseBody(response);
      } else if (body === 'too large') {
        writeError(response, 413, 'PayloadTooLargeException', `expected at most ${bytesMax} bytes`);
      } else if (body === 'no room') {
        writeError(response, 503, 'ServiceUnavailable', 'expected less at once; try again');
      } else {
        void this.#answer(engine, request, body, response);
      }
    });
  }

  #answer(engine: HttpEngine, request: HttpRequest, body: Buffer, response: ServerResponse): Promise<void> {
    const cut = (): void => void response.destroy();
    return owned(
      () => this.#perform(engine, request, body, response, cut),
      (error) => {
        this.#report(error);
        if (response.headersSent) response.destroy();
        else writeFailure(response);
      },
    );
  }

  /** Answers the request, unless its caller dies at it: then `cut` ends the connection. */
  async #perform(
    engine: HttpEngine,
    request: HttpRequest,
    body: Buffer,
    response: HttpResponse,
    cut: () => void,
  ): Promise<void> {
    const death = this.#services?.faults?.deathAt?.(request);
    if (!death) return engine.handle(request, body, response);
    const unheard = new WholeResponse(() => {});
    await letDie(death, () => engine.handle(request, body, unheard), cut);
  }

  /** What answers a request, by its head. */
  #engineOf(request: HttpRequest): HttpEngine {
    const objection = this.#origins.objectionTo(request);
    if (objection !== undefined) return refusing(objection);
    const services = this.#services;
    if (!services) return STARTING;
    const httpApi = httpApiOf(services, request);
    if (httpApi) return httpApi;
    const target = request.headers['x-amz-target'];
    if (typeof target === 'string') {
      const engine = services.engines.get(target.slice(0, target.indexOf('.')));
      return engine ?? unserved(request, this.#served) ?? NOT_FOUND;
    }
    const gateway = gatewayOf(services, request);
    if (gateway?.takes(request)) return gateway;
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    const engine = this.#engineOfPath.get(path);
    if (engine && path !== '/') return engine;
    // Requests to AWS services go to `/`, too, where the page is.
    return unserved(request, this.#served) ?? engine ?? NOT_FOUND;
  }
}

async function letDie(death: CallerDeath, perform: () => unknown, cut: () => void): Promise<void> {
  try {
    if (death.isPerformed) await perform();
  } finally {
    death.kill();
    cut();
  }
}

function gatewayOf(
  { gateways }: Services,
  { url = '' }: Pick<IncomingMessage, 'url'>,
): StageEngine | undefined {
  const [, stage = ''] = url.split(/[/?]/, 2);
  return gateways.get(stage) ?? gateways.values().next().value;
}

const httpApiOf = ({ httpApis }: Services, { url = '' }: HttpRequest): HttpEngine | undefined =>
  httpApis?.get(url.split(/[/?]/, 3).join('/'));

const AUTHORITY = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i;

/** A target that names the server, too, means the same without it (RFC 9112 §3.2.2): here is only one. */
function originForm(target = '/'): string {
  if (target.startsWith('/')) return target;
  const path = target.replace(AUTHORITY, '');
  return path === '' || path.startsWith('?') ? `/${path}` : path;
}

const writeFailure = (response: HttpResponse): void =>
  writeError(response, 500, 'InternalFailure', 'something went wrong here; the log says what');

function plain(response: HttpResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}
