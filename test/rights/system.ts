import type { PutEventsCommandInput } from '@aws-sdk/client-eventbridge';
import { DELIVERED, GONE, type Post } from '../../shared/delivery/post.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import type { MessageEvent, QueueEvent, QueueResult, RouteResult } from '../../shared/lambda/events.ts';
import type { Context, Handler } from '../../shared/lambda/stack.ts';
import { MemoryDynamoDB } from '../memory/dynamodb.ts';
import type { Clients } from '../simulation/clients.ts';
import type { Code, Load } from '../simulation/code.ts';
import type { Dice } from '../simulation/dice.ts';
import { configOf, rollSettings, type SystemConfig } from '../simulation/settings.ts';
import { World } from '../simulation/world.ts';
import { freePace } from '../support/free-pace.ts';
import { FakeIssuer, webDeps } from '../support/issuer.ts';
import { AUTH, NAMESPACES } from './cast.ts';
import { API, KEY, SECRET } from './issuers.ts';
import { Queues } from './queues.ts';

/** What is read from an index, or need not be consistent, is behind by so much at most. */
const LAG_MAX_MS = 5_000;
/** So often a request lets others go first, where several are under way. */
const TURNS_MAX = 3;
/** A job of a delivery may wait behind others for so long. */
const BACKLOG_MS = [1_000, 900_000] as const;
const FAILED = { outcome: 'failed', reason: 'InternalServerError (HTTP 500)' } as const;
const AGE_MAX_MS = 2 * 3_600_000;
const SWEEP_MS = 60_000;

export interface Connection {
  readonly id: string;
  readonly connectedAtMs: number;
  /** What the authorizer has said. */
  readonly authorizer: Readonly<Record<string, string>>;
  isOpen: boolean;
}
export type Frame = Readonly<Record<string, unknown>>;
/** Of a handshake. */
export type Headers = Readonly<Record<string, readonly string[]>>;

const CONFIG: SystemConfig = {
  ...configOf(rollSettings(new World(1))),
  namespaces: NAMESPACES,
  authorization: 'required',
  auth: AUTH,
  audience: API,
  subscriptionsMax: 100,
  attemptsMax: 5,
};
const CONTEXT: Context = { awsRequestId: 'r', getRemainingTimeInMillis: () => 10_000 };

/** Fanwire's functions with everything that they call, and a clock for them all. */
export class System implements Clock {
  nowMs: number;
  /** Posts of deliveries fail now and then, and their jobs wait behind others; nothing else goes wrong. */
  readonly isSlow: boolean;
  readonly connections = new Map<string, Connection>();
  /** Told of every frame that an open connection gets. */
  onFrame: (connection: Connection, frame: Frame) => void = () => {};
  readonly #dice: Dice;
  readonly #config: SystemConfig;
  readonly #clients: Clients;
  readonly #queues: Queues;
  readonly #functions;
  #nextSweepMs: number;
  #ids = 0;

  constructor(code: Code, dice: Dice, startMs: number) {
    this.#dice = dice;
    this.nowMs = startMs;
    this.#nextSweepMs = startMs + dice.integer(0, SWEEP_MS);
    this.isSlow = dice.chance(0.3);
    this.#config = { ...CONFIG, inlineMax: dice.pick([1, 200]) };
    this.#queues = new Queues(this, (url) =>
      this.isSlow && url === this.#config.deliveryQueueUrl ? dice.pick([0, dice.scale(...BACKLOG_MS)]) : 0,
    );
    this.#clients = this.#makeClients();
    const { functions } = code;
    const worker = (load: Load<QueueEvent, QueueResult>) => this.#load(load, { pace: freePace() });
    const closing = { post: this.#post, disconnect: async (id: string) => this.#close(id) };
    this.#functions = {
      authorize: this.#load(functions.authorize),
      connect: this.#load(functions.connect),
      disconnect: this.#load(functions.disconnect),
      sweep: this.#load(functions.sweep),
      actions: new Map<string, Handler<MessageEvent, RouteResult>>([
        ['authenticate', this.#load(functions.authenticate)],
        ['subscribe', this.#load(functions.subscribe)],
        ['unsubscribe', this.#load(functions.unsubscribe)],
        ['publish', this.#load(functions.publish)],
        ['history', this.#load(functions.history)],
        ['send', this.#load(functions.send)],
        ['whoami', this.#load(functions.whoami)],
        ['ping', this.#load(functions.ping)],
        ['$default', this.#load(functions.$default)],
      ]),
      workers: new Map([
        [INGEST, worker(functions.fanout)],
        [this.#config.deliveryQueueUrl, worker(functions.deliver)],
        [this.#config.slowQueueUrl, worker(functions.deliver)],
        [this.#config.closingQueueUrl, this.#load(functions.close, closing)],
      ]),
    };
  }

  readonly now = (): number => this.nowMs;
  readonly random = (): number => this.#dice.next();
  readonly newId = (): string => `id${this.#ids++}`;
  readonly wait = async (): Promise<void> => {};

  /** A handshake; undefined if it is refused. */
  async connect(multiValueHeaders: Headers): Promise<Connection | undefined> {
    const id = `${this.newId()}=`;
    const requestContext = this.#contextOf({ id, connectedAtMs: this.nowMs }, '$connect');
    const asked = { methodArn: 'arn', requestContext, multiValueHeaders };
    const verdict = await this.#functions.authorize(asked, CONTEXT).catch((error: Error) => {
      if (error.message !== 'Unauthorized') throw error;
    });
    if (!verdict?.context) return undefined;
    // API Gateway hands on texts.
    const entries = Object.entries(verdict.context).map(([name, value]) => [name, String(value)]);
    const authorizer: Connection['authorizer'] = Object.fromEntries(entries);
    const connection = { id, connectedAtMs: this.nowMs, authorizer, isOpen: false };
    this.connections.set(id, connection);
    const event = { requestContext: { ...requestContext, authorizer }, multiValueHeaders };
    const { statusCode } = await this.#functions.connect(event, CONTEXT);
    connection.isOpen = statusCode === 200;
    return connection.isOpen ? connection : undefined;
  }

  /** Answers with the reply, which the connection has got by then. */
  command(connection: Connection, action: string, fields: Frame): Promise<Frame> {
    return this.say(connection, JSON.stringify({ action, ...fields }));
  }

  /** Any text, on its way to the route of its action. */
  async say(connection: Connection, body: string): Promise<Frame> {
    const { actions } = this.#functions;
    const action = actionIn(body);
    const routeKey = actions.has(action) ? action : '$default';
    const { authorizer } = connection;
    const requestContext = { ...this.#contextOf(connection, routeKey), authorizer };
    const result = await actions.get(routeKey)?.({ requestContext, body }, CONTEXT);
    const reply: Frame = JSON.parse(result?.body ?? '{}');
    if (connection.isOpen) this.onFrame(connection, reply);
    return reply;
  }

  /** It closes; the functions are told now and then only. */
  async disconnect(connection: Connection, isTold: boolean): Promise<void> {
    connection.isOpen = false;
    const requestContext = {
      ...this.#contextOf(connection, '$disconnect'),
      disconnectStatusCode: 1005,
      disconnectReason: '',
    };
    if (isTold) await this.#functions.disconnect({ requestContext }, CONTEXT);
  }

  /** By a back end. */
  put(detailType: string, detail: unknown): void {
    const time = new Date(Math.floor(this.nowMs / 1000) * 1000).toISOString();
    const event = { id: this.newId(), source: 'test', time, 'detail-type': detailType, detail };
    const url = detailType === 'fanwire.revoke' ? this.#config.closingQueueUrl : INGEST;
    this.#queues.send(url, JSON.stringify(event));
  }

  /** Lets time pass, and everything happen that is due. */
  async advance(ms = 0): Promise<void> {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const dueMs = Math.min(this.#queues.nextDueMs, this.#nextSweepMs);
      if (dueMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      if (dueMs === this.#nextSweepMs) await this.#sweep();
      else await this.#work();
    }
    this.nowMs = untilMs;
    this.#closeOld();
  }

  async #sweep(): Promise<void> {
    this.#nextSweepMs += SWEEP_MS;
    await this.#functions.sweep({}, CONTEXT);
  }

  async #work(): Promise<void> {
    const received = this.#queues.receive();
    if (received) await this.#functions.workers.get(received.url)?.({ Records: received.Records }, CONTEXT);
  }

  #closeOld(): void {
    for (const connection of this.connections.values()) {
      if (this.nowMs >= connection.connectedAtMs + AGE_MAX_MS) connection.isOpen = false;
    }
  }

  #load<E, R>(load: Load<E, R>, others: object = {}): Handler<E, R> {
    return load(this.#config, this.#clients, this, (deps) => ({ ...deps, ...others }));
  }

  #contextOf({ id, connectedAtMs }: Pick<Connection, 'id' | 'connectedAtMs'>, routeKey: string) {
    const requestTimeEpoch = this.nowMs;
    return { connectionId: id, requestId: 'r', routeKey, connectedAt: connectedAtMs, requestTimeEpoch };
  }

  #makeClients(): Clients {
    const dice = this.#dice;
    const dynamodb = new MemoryDynamoDB({ now: this.now }).client(async ({ isEventual }, perform) => {
      for (let turns = dice.integer(0, TURNS_MAX); turns > 0; turns--) await undefined;
      return perform({ lagMs: isEventual && dice.chance(0.3) ? dice.integer(0, LAG_MAX_MS) : 0 });
    });
    const sqs = this.#queues.client;
    const putEvents = async ({ input }: { readonly input: PutEventsCommandInput }) => {
      for (const { DetailType = '', Detail = '' } of input.Entries ?? [])
        this.put(DetailType, JSON.parse(Detail));
      return { FailedEntryCount: 0, Entries: [] };
    };
    return {
      ...webDeps(new FakeIssuer(KEY).fetch, this.now),
      secrets: async () => ({ current: SECRET }),
      dynamodb,
      sqs,
      eventBridge: { send: putEvents } as never,
      management: { send: async () => ({}) } as never,
      post: async (...post) => (this.isSlow && dice.chance(0.3) ? FAILED : this.#post(...post)),
      late: async () => ({ dynamodb, sqs }) as never,
    };
  }

  readonly #post: Post = async (connectionId, frame) => {
    const connection = this.connections.get(connectionId);
    if (!connection?.isOpen) return GONE;
    this.onFrame(connection, JSON.parse(new TextDecoder().decode(frame)));
    return DELIVERED;
  };

  /** By the functions; answers with whether it was open. */
  #close(id: string): boolean {
    const connection = this.connections.get(id);
    if (!connection?.isOpen) return false;
    connection.isOpen = false;
    return true;
  }
}

const INGEST = 'ingest';

/** As `$request.body.action` selects it. */
function actionIn(body: string): string {
  try {
    return String(JSON.parse(body).action);
  } catch {
    return '';
  }
}
