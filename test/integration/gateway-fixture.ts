import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi';
import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import type {
  AuthorizerEvent,
  ConnectEvent,
  DisconnectEvent,
  MessageEvent,
  RequestContext,
} from '../../infra/local/apigateway/events.ts';
import { Gateway, type GatewayDeps, type GatewaySettings } from '../../infra/local/apigateway/gateway.ts';
import { type AccountLimits, Throttle } from '../../infra/local/apigateway/throttle.ts';
import { isWebSocketUpgrade } from '../../infra/local/http/upgrade.ts';
import type { Invocation } from '../../infra/local/lambda/invoke.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type FrameParts, takeServerFrame } from '../support/web-socket-frames.ts';

/** Any of the four events: a handler looks at what its route gets. */
export type GatewayEvent = Partial<
  Omit<AuthorizerEvent & ConnectEvent & MessageEvent & DisconnectEvent, 'requestContext'>
> & {
  readonly requestContext: RequestContext;
};
export type Handler = (event: GatewayEvent) => unknown;

export const ok: Handler = () => ({ statusCode: 200 });
export const echo: Handler = ({ body }) => ({ statusCode: 200, body });

/** A handler that ends when the test says so. */
export function held(): { handler: Handler; release: (response: unknown) => void } {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  return { handler: () => promise, release: resolve };
}

/** Things that arrive in their order, for a test that waits for the next. */
export class Mailbox<T> {
  readonly #arrived: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  put(item: T): void {
    const wanted = this.#waiting.shift();
    if (wanted) wanted(item);
    else this.#arrived.push(item);
  }

  take(): Promise<T> {
    const item = this.#arrived.shift();
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item);
  }
}

interface GatewayOptions extends Partial<Omit<GatewaySettings, 'routes'>> {
  /** By route key; a key that is not there is no route. */
  readonly handlers?: Readonly<Record<string, Handler>>;
  /** Routes with a route response. */
  readonly replies?: readonly string[];
  readonly timeoutMs?: number;
  /** The function of the authorizer: it is invoked under the name AUTHORIZER. */
  readonly authorize?: Handler;
  readonly identitySources?: readonly string[];
  readonly limits?: Partial<AccountLimits>;
  readonly faults?: GatewayDeps['faults'];
  /** Functions whose invocation itself fails, as it never should. */
  readonly broken?: readonly string[];
}

export const AUTHORIZER = 'authorizer';
const HANDLERS = { $connect: ok, $disconnect: ok, $default: ok };
const TIMEOUT_MS = 29_000;

/** A gateway behind a real HTTP server, with functions and a clock that belong to the test. */
export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const { handlers = HANDLERS, replies = [], timeoutMs = TIMEOUT_MS, faults, ...rest } = options;
  const { authorize, identitySources = [], limits, broken = [], ...settings } = rest;
  const clock = new ManualClock();
  const log: string[] = [];
  const calls = new Calls({ ...handlers, ...(authorize && { [AUTHORIZER]: authorize }) });
  const gateway = new Gateway(
    {
      apiId: 'abcd123456',
      stage: 'prod',
      region: 'eu-west-1',
      accountId: '000000000000',
      routeSelectionExpression: '$request.body.action',
      routes: new Map(
        Object.keys(handlers).map((key) => [
          key,
          { functionArn: key, replies: replies.includes(key), timeoutMs },
        ]),
      ),
      ...(authorize && { authorizer: { functionArn: AUTHORIZER, identitySources } }),
      ...settings,
    },
    {
      invoke: async (arn, event) => {
        if (broken.includes(arn)) throw new Error(`${arn} is broken`);
        return calls.invoke(arn, event as GatewayEvent);
      },
      prepare: (arn) => calls.prepared.push(arn),
      clock,
      randomBytes,
      throttle: new Throttle(clock, limits),
      log: (line) => log.push(line),
      faults,
    },
  );
  const server = await serve(gateway);
  const test = new TestGateway(gateway, clock, calls, log, (server.address() as AddressInfo).port);
  onTestFinished(async () => {
    await gateway.close();
    server.closeAllConnections();
    server.close();
  });
  return test;
}

async function serve(gateway: Gateway): Promise<Server> {
  const server = createServer({ shouldUpgradeCallback: isWebSocketUpgrade }, async (request, response) => {
    if (gateway.takes(request)) gateway.handle(request, await buffer(request), response);
    else response.writeHead(404).end();
  });
  server.on('upgrade', (request, socket, head) => gateway.upgrade(request, socket, head));
  server.listen(0); // every address, so that IPv4 clients may come as IPv6: their address must not show it
  await once(server, 'listening');
  return server;
}

/** Every invocation there was, as the functions saw it. */
class Calls {
  readonly all: GatewayEvent[] = [];
  readonly functions: string[] = [];
  /** Functions that were announced. */
  readonly prepared: string[] = [];
  readonly #handlers: Readonly<Record<string, Handler>>;
  readonly #mailboxes = new Map<string, Mailbox<GatewayEvent>>();

  constructor(handlers: Readonly<Record<string, Handler>>) {
    this.#handlers = handlers;
  }

  of(routeKey: string): Mailbox<GatewayEvent> {
    const mailbox = this.#mailboxes.get(routeKey) ?? new Mailbox<GatewayEvent>();
    this.#mailboxes.set(routeKey, mailbox);
    return mailbox;
  }

  async invoke(routeKey: string, event: GatewayEvent): Promise<Invocation> {
    this.all.push(event);
    this.functions.push(routeKey);
    this.of(routeKey).put(event);
    try {
      return { ok: true, payload: await this.#handlers[routeKey]?.(event) };
    } catch (error) {
      const errorMessage = error instanceof Error ? error.message : String(error);
      return { ok: false, reason: 'threw', errorType: 'Error', errorMessage };
    }
  }
}

class TestGateway {
  readonly gateway: Gateway;
  readonly clock: ManualClock;
  /** What the gateway had to say. */
  readonly log: readonly string[];
  readonly port: number;
  readonly url: string;
  readonly endpoint: string;
  readonly management: ApiGatewayManagementApiClient;
  readonly #calls: Calls;

  constructor(gateway: Gateway, clock: ManualClock, calls: Calls, log: readonly string[], port: number) {
    this.gateway = gateway;
    this.clock = clock;
    this.log = log;
    this.#calls = calls;
    this.port = port;
    this.url = `ws://127.0.0.1:${port}/prod`;
    this.endpoint = `http://127.0.0.1:${port}/prod`;
    this.management = new ApiGatewayManagementApiClient({
      endpoint: this.endpoint,
      region: 'eu-west-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      maxAttempts: 1,
    });
  }

  /** The next invocation of a route that no test has taken yet. */
  invoked(routeKey: string): Promise<GatewayEvent> {
    return this.#calls.of(routeKey).take();
  }

  /** The route keys of all invocations so far. */
  get invokedRoutes(): string[] {
    return this.#calls.all.map(({ requestContext }) => requestContext.routeKey);
  }

  /** The names of all functions invoked so far: a route's is its key. */
  get invokedFunctions(): readonly string[] {
    return this.#calls.functions;
  }

  get preparedFunctions(): readonly string[] {
    return this.#calls.prepared;
  }

  async connect(options: ClientOptions & { protocols?: string[]; query?: string } = {}): Promise<TestClient> {
    const { protocols, query = '', ...rest } = options;
    const client = new TestClient(new WebSocket(`${this.url}${query}`, protocols, rest));
    await once(client.socket, 'open');
    return client;
  }

  /** A client, and the id that `$connect` saw. */
  async connectWithId(): Promise<{ client: TestClient; id: string }> {
    const client = await this.connect();
    return { client, id: (await this.invoked('$connect')).requestContext.connectionId };
  }

  /** A client that speaks in frames, and the id that `$connect` saw. */
  async connectRaw(): Promise<{ raw: RawClient; id: string }> {
    const raw = await RawClient.connect(this.port);
    return { raw, id: (await this.invoked('$connect')).requestContext.connectionId };
  }
}

export interface Close {
  readonly code: number;
  readonly reason: string;
}

export class TestClient {
  readonly socket: WebSocket;
  readonly closed: Promise<Close>;
  readonly #messages = new Mailbox<string>();

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => {}); // a test that expects one listens itself
    socket.on('message', (data, isBinary) =>
      this.#messages.put(isBinary ? `binary ${data}` : data.toString()),
    );
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  next(): Promise<string> {
    return this.#messages.take();
  }
}

/** The status and body that a refused handshake gets. */
export async function refusal(socket: WebSocket): Promise<{ status: number; body: string }> {
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  return { status: response.statusCode, body: (await buffer(response)).toString() };
}

export const HANDSHAKE = [
  'GET /prod HTTP/1.1',
  'Host: localhost',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n');

/** A client without a WebSocket library: it answers nothing by itself, and reads when it is told to. */
export class RawClient {
  readonly socket: Socket;
  readonly #frames = new Mailbox<FrameParts>();

  static async connect(port: number): Promise<RawClient> {
    const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    socket.write(HANDSHAKE);
    const [head] = (await once(socket, 'data')) as [Buffer];
    if (!head.toString().startsWith('HTTP/1.1 101')) throw new Error(`expected a 101, got ${head}`);
    return new RawClient(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    let unread = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      for (let taken = takeServerFrame(unread); taken !== undefined; taken = takeServerFrame(unread)) {
        unread = Buffer.from(taken.rest);
        this.#frames.put(taken.frame);
      }
    });
  }

  nextFrame(): Promise<FrameParts> {
    return this.#frames.take();
  }
}
