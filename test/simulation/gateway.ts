import type { PostOutcome } from '../../shared/delivery/post.ts';
import type {
  AuthorizerEvent,
  AuthorizerResult,
  ConnectEvent,
  DisconnectEvent,
  MessageEvent,
  RequestContext,
  RouteResult,
} from '../../shared/lambda/events.ts';
import type { LambdaFunction } from './lambda.ts';
import type { Socket } from './socket.ts';
import type { World } from './world.ts';

const MINUTE_MS = 60_000;
const IDLE_MAX_MS = 10 * MINUTE_MS;
export const AGE_MAX_MS = 120 * MINUTE_MS;
const DISCONNECT_MS = 30;
const DISCONNECT_LATE_MS = [1_000, 15 * MINUTE_MS] as const;
const STORM_MS = [500, 20_000] as const;
/** API Gateway closes with 1009 what is larger in one frame. */
const FRAME_BYTES_MAX = 32 * 1024;

/** What the gateway knows of a connection. */
export interface Connection {
  readonly id: string;
  readonly socket: Socket;
  readonly connectedAtMs: number;
  lastActiveMs: number;
  /** What the authorizer has said. */
  authorizer?: RequestContext['authorizer'];
  state: 'connecting' | 'open' | 'closed';
}

/** What a client connects with. */
export interface Handshake {
  readonly url: string;
  readonly protocols: readonly string[];
}

export interface Routes {
  /** Asked about every handshake, if there is one. */
  readonly authorize?: LambdaFunction<AuthorizerEvent, AuthorizerResult>;
  readonly connect: LambdaFunction<ConnectEvent, RouteResult>;
  readonly disconnect: LambdaFunction<DisconnectEvent, RouteResult>;
  /** By action; `$default` gets what no other does. */
  readonly actions: Readonly<Record<string, LambdaFunction<MessageEvent, RouteResult>>>;
}

/** A WebSocket API of API Gateway, and its @connections. */
export class Gateway {
  readonly #world: World;
  readonly #routes: Routes;
  readonly #connections = new Map<string, Connection>();
  readonly #ageMaxMs: number;
  #stormUntilMs = 0;
  /** Told of every frame that comes from a connection, and of every one that goes to it. */
  onReceive: (connectionId: string, text: string) => void = () => {};
  onSend: (connectionId: string, text: string) => void = () => {};
  /** Told of every handshake that is accepted, with its protocols. */
  onOpen: (connection: Connection, protocols: readonly string[]) => void = () => {};

  /** Connections live for `ageMaxMs` as long as there are faults, and as on AWS afterwards. */
  constructor(world: World, routes: Routes, ageMaxMs: number) {
    this.#world = world;
    this.#routes = routes;
    this.#ageMaxMs = ageMaxMs;
  }

  get open(): Connection[] {
    return [...this.#connections.values()].filter(({ state }) => state === 'open');
  }

  isOpen(connectionId: string): boolean {
    return this.#connections.get(connectionId)?.state === 'open';
  }

  /** A handshake: until its `$connect` has ended the connection does not exist for anybody else. */
  connect(socket: Socket, { url, protocols }: Handshake): void {
    const world = this.#world;
    const connection: Connection = {
      id: world.dice.id(),
      socket,
      connectedAtMs: world.now(),
      lastActiveMs: world.now(),
      state: 'connecting',
    };
    this.#connections.set(connection.id, connection);
    if (world.faults.hits('connectRefused')) {
      connection.state = 'closed';
      socket.refused();
      return;
    }
    void this.#isAccepted(connection, { url, protocols }).then((isAccepted) => {
      world.trace(isAccepted ? 'connected' : 'refused', connection.id);
      connection.state = isAccepted ? 'open' : 'closed';
      if (!isAccepted) return socket.refused();
      this.onOpen(connection, protocols);
      socket.accepted(connection);
      this.#watch(connection);
    });
  }

  async #isAccepted(connection: Connection, { url, protocols }: Handshake): Promise<boolean> {
    const { authorize, connect } = this.#routes;
    const multiValueHeaders = { 'Sec-WebSocket-Protocol': [protocols.join(', ')] };
    if (authorize) {
      const requestContext = this.#contextOf(connection, '$connect');
      const outcome = await authorize.invoke({ methodArn: 'arn', requestContext, multiValueHeaders });
      if (outcome.status !== 'answered' || !outcome.answer.context) return false;
      connection.authorizer = outcome.answer.context;
    }
    const query = Object.fromEntries(new URL(url).searchParams);
    const outcome = await connect.invoke({
      requestContext: this.#contextOf(connection, '$connect'),
      ...(protocols.length > 0 && { multiValueHeaders }),
      ...(Object.keys(query).length > 0 && { queryStringParameters: query }),
    });
    return outcome.status === 'answered' && outcome.answer.statusCode === 200;
  }

  /** A frame from a client. Those of one connection are worked on side by side. */
  receive(connection: Connection, text: string): void {
    if (connection.state !== 'open') return;
    connection.lastActiveMs = this.#world.now();
    if (Buffer.byteLength(text) > FRAME_BYTES_MAX) {
      this.#close(connection, 1009, 'Frame too large');
      return;
    }
    const action = actionIn(text);
    const { actions } = this.#routes;
    const route = Object.hasOwn(actions, action) ? action : '$default';
    this.#world.trace('frame', connection.id, text);
    this.onReceive(connection.id, text);
    const requestContext = this.#contextOf(connection, route);
    void actions[route]?.invoke({ requestContext, body: text }).then((outcome) => {
      const { connectionId, requestId } = requestContext;
      const body =
        outcome.status === 'answered'
          ? outcome.answer.body
          : JSON.stringify({ message: 'Internal server error', connectionId, requestId });
      if (body !== undefined) this.#send(connection, body);
    });
  }

  /** A post to @connections, as whoever makes it sees it; `hang` is answered only by a deadline of one's own. */
  post(connectionId: string, text: string): PostOutcome | 'hang' {
    const { faults, dice } = this.#world;
    const connection = this.#connections.get(connectionId);
    if (this.#isStormy() || faults.hits('postThrottled')) {
      return { outcome: 'throttled', reason: 'LimitExceededException (HTTP 429)' };
    }
    const hangs = faults.hits('postHangs');
    if (hangs || faults.hits('postFails')) {
      // It may have got through all the same.
      if (connection && dice.chance(0.5)) this.#send(connection, text);
      return hangs ? 'hang' : { outcome: 'failed', reason: 'InternalServerError (HTTP 500)' };
    }
    if (connection?.state === 'open' && !faults.hits('postGoneThoughOpen')) {
      this.#send(connection, text);
      return { outcome: 'delivered' };
    }
    if (connection?.state === 'closed' && faults.hits('postTakenThoughClosed')) {
      return { outcome: 'delivered' };
    }
    return { outcome: 'gone' };
  }

  /** Closes a connection for whoever asks; answers with whether it was open. */
  disconnect(connectionId: string): boolean {
    const connection = this.#connections.get(connectionId);
    if (connection?.state !== 'open') return false;
    this.#close(connection, 1000, 'Connection Closed Normally');
    return true;
  }

  closedByClient(connection: Connection): void {
    connection.socket.closedByGateway(1000, '');
    this.#end(connection, 1005);
  }

  /** The socket is broken, and the gateway has noticed. */
  lost(connection: Connection): void {
    this.#end(connection, 1006);
  }

  #send(connection: Connection, text: string): void {
    if (connection.state !== 'open') return;
    connection.lastActiveMs = this.#world.now();
    this.#world.trace('send', connection.id, text);
    this.onSend(connection.id, text);
    connection.socket.deliver(text);
  }

  #isStormy(): boolean {
    const { faults, dice, scheduler } = this.#world;
    if (scheduler.nowMs < this.#stormUntilMs) return faults.has('throttleStorm');
    if (faults.hits('throttleStorm')) this.#stormUntilMs = scheduler.nowMs + dice.scale(...STORM_MS);
    return scheduler.nowMs < this.#stormUntilMs;
  }

  /** Closes it when it has been idle for too long, or is too old. */
  #watch(connection: Connection): void {
    const { faults, dice } = this.#world;
    const { connectedAtMs } = connection;
    const ageMaxMs = faults.has('connectionCut') ? this.#ageMaxMs : AGE_MAX_MS;
    const isCut = faults.hits('connectionCut');
    const endMs = connectedAtMs + (isCut ? dice.scale(5_000, ageMaxMs) : ageMaxMs);
    const look = () => {
      const dueMs = Math.min(endMs, connection.lastActiveMs + IDLE_MAX_MS);
      if (connection.state !== 'open') return;
      if (this.#world.now() >= dueMs) return this.#close(connection, 1001, 'Going away');
      // Less than this, added to the time, may be rounded away: it would be looked again at once, and again.
      this.#world.after(Math.max(1, dueMs - this.#world.now()), look);
    };
    look();
  }

  #close(connection: Connection, code: number, reason: string): void {
    connection.socket.closedByGateway(code, reason);
    this.#end(connection, code);
  }

  #end(connection: Connection, code: number): void {
    const world = this.#world;
    if (connection.state !== 'open') return;
    connection.state = 'closed';
    world.trace('disconnected', connection.id, code);
    if (world.faults.hits('disconnectLost')) return;
    const lateMs = world.faults.hits('disconnectLate') ? world.dice.scale(...DISCONNECT_LATE_MS) : 0;
    const requestContext = {
      ...this.#contextOf(connection, '$disconnect'),
      disconnectStatusCode: code,
      disconnectReason: '',
    };
    world.after(world.latency(DISCONNECT_MS) + lateMs, () => {
      void this.#routes.disconnect.invoke({ requestContext });
    });
  }

  #contextOf({ id, connectedAtMs, authorizer }: Connection, routeKey: string): RequestContext {
    return {
      ...(authorizer && { authorizer }),
      connectionId: id,
      requestId: this.#world.dice.id(),
      routeKey,
      connectedAt: connectedAtMs,
      requestTimeEpoch: this.#world.now(),
    };
  }
}

function actionIn(text: string): string {
  try {
    return String(JSON.parse(text).action);
  } catch {
    return '';
  }
}
