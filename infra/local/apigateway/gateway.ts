import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Account } from '../account.ts';
import type { Clock } from '../clock.ts';
import { Delays } from '../delays.ts';
import type { HttpRequest, HttpResponse } from '../http/engine.ts';
import type { Admit } from '../http/rights.ts';
import { refuse } from '../http/upgrade.ts';
import type { Invoke } from '../lambda/invoke.ts';
import { owned } from '../owned.ts';
import type { AccessRequest } from '../policy/policy.ts';
import { type Authorize, type AuthorizerSettings, admitEverybody, createAuthorizer } from './authorizer.ts';
import { type Closing, Connection, GOING_AWAY } from './connection.ts';
import {
  connectEvent,
  disconnectEvent,
  type EventConnection,
  type EventOrigin,
  type EventRequest,
  type EventSource,
  type Handshake,
  messageEvent,
} from './events.ts';
import { answerFaulty, type GatewayFaults } from './faults.ts';
import {
  forwardedHeaders,
  handshakeFault,
  identityOf,
  judge,
  type Refusal,
  refusal,
  type Verdict,
} from './handshake.ts';
import { createId, type RandomBytes } from './ids.ts';
import { integrate } from './integration.ts';
import { CLOSE_HANDSHAKE_MS_MAX, MANAGEMENT_BYTES_MAX, MESSAGE_BYTES_MAX } from './limits.ts';
import {
  type Answer,
  type ConnectionPath,
  failure,
  manageConnection,
  parseConnectionPath,
  TOO_MANY,
  write,
} from './management.ts';
import type { StageMeter } from './meter.ts';
import { errorText, GatewayError, replyText } from './replies.ts';
import { connectionsAccess } from './rights.ts';
import { CONNECT_ROUTE, compileRouteSelection, DEFAULT_ROUTE, DISCONNECT_ROUTE } from './routing.ts';
import { Throttle } from './throttle.ts';

export interface GatewayRoute {
  readonly functionArn: string;
  /** The route has a RouteResponse, so the Lambda's body reaches the client. */
  readonly replies: boolean;
  readonly timeoutMs: number;
}

export interface GatewaySettings extends Account {
  readonly apiId: string;
  readonly stage: string;
  /** `$request.body.action`, `${request.body.x}`, or several with literal text between them. */
  readonly routeSelectionExpression: string;
  readonly stageVariables?: Readonly<Record<string, string>>;
  /** By route key, `$connect`, `$disconnect` and `$default` included. */
  readonly routes: ReadonlyMap<string, GatewayRoute>;
  /** Of `$connect`; no other route can have one. */
  readonly authorizer?: AuthorizerSettings;
}

export interface GatewayDeps {
  readonly invoke: Invoke;
  /** Told of a function that will be invoked in a moment. */
  readonly prepare?: (functionArn: string) => void;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  /** Lets calls to @connections in; without it all of them. */
  readonly admit?: Admit;
  readonly faults?: GatewayFaults | undefined;
  /** Of this stage, told what AWS would bill. */
  readonly meter?: StageMeter;
  /** Of the account, so one for all its gateways; without it each has AWS's defaults for itself. */
  readonly throttle?: Throttle;
  readonly log?: (line: string) => void;
}

/** What became of a handshake; the connection knows what the authorizer said of it. */
type Admission = (Extract<Verdict, { accepted: true }> & { readonly connection: EventConnection }) | Refusal;

const TOO_MANY_CONNECTIONS = refusal(429, GatewayError.throttled);
const CLOSED = refusal(503, 'Service Unavailable');
const ADMIT_ALL: Admit = () => true;

/** One stage of a WebSocket API: the sockets of its clients, and the @connections calls of its back ends. */
export class Gateway {
  readonly #routes: GatewaySettings['routes'];
  readonly #deps: GatewayDeps;
  readonly #throttle: Throttle;
  readonly #account: Account;
  readonly #source: EventSource;
  readonly #stagePath: string;
  readonly #routeKeyOf: (message: string) => string;
  readonly #authorize: Authorize;
  readonly #webSockets: WebSocketServer;
  /** Upgrades whose `$connect` is still running. */
  readonly #pending = new Set<Duplex>();
  /** The subprotocol that `$connect` chose, from its end until `ws` writes the 101. */
  readonly #subprotocols = new WeakMap<IncomingMessage, string>();
  /** From the 101 until the socket is gone. */
  readonly #connections = new Map<string, Connection>();
  /** Lives of connections: over when `$disconnect` has ended. */
  readonly #lives = new Set<Promise<void>>();
  /** Of `$disconnect`s that a fault holds up. */
  readonly #delays: Delays;
  #isPrepared = false;
  #isClosed = false;

  constructor({ apiId, stage, region, stageVariables, ...settings }: GatewaySettings, deps: GatewayDeps) {
    this.#account = { region, accountId: settings.accountId };
    this.#routes = settings.routes;
    this.#deps = deps;
    this.#delays = new Delays(deps.clock);
    this.#throttle = deps.throttle ?? new Throttle(deps.clock);
    this.#stagePath = `/${stage}`;
    this.#routeKeyOf = compileRouteSelection(settings.routeSelectionExpression);
    const { accountId, authorizer } = settings;
    const connectArn = `arn:aws:execute-api:${region}:${accountId}:${apiId}/${stage}/${CONNECT_ROUTE}`;
    this.#authorize = authorizer ? createAuthorizer(authorizer, connectArn, deps) : admitEverybody;
    // It never carries a port on AWS, so it carries none here, whatever port serves it.
    const domainName = `${apiId}.execute-api.${region}.amazonaws.com`;
    this.#source = { apiId, stage, domainName, ...(stageVariables && { stageVariables }) };
    this.#webSockets = new WebSocketServer(this.#webSocketOptions());
    this.#webSockets.on('headers', (headers, request) => {
      const subprotocol = this.#subprotocols.get(request);
      if (subprotocol !== undefined) headers.push(`Sec-WebSocket-Protocol: ${subprotocol}`);
    });
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Answers an HTTP upgrade: 101 once `$connect` has accepted it, or an HTTP status. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A client may reset before `ws` listens; an error without a listener would end the process.
    socket.on('error', () => socket.destroy());
    const fault = this.#upgradeFault(request);
    if (fault !== undefined) {
      refuse(socket, fault);
      return;
    }
    void owned(
      () => this.#shakeHands(request, socket, head),
      (error) => {
        this.#say('a handshake failed', error);
        if (this.#pending.delete(socket)) refuse(socket, 500);
        else socket.destroy(); // it may have been told that it is accepted
      },
    );
  }

  /** Below the stage, and @connections of any other: there it is forbidden. */
  takes(request: HttpRequest): boolean {
    const path = pathOf(request);
    return this.#isBelowStage(path) || parseConnectionPath(path) !== undefined;
  }

  /** What is not signed goes no further, whatever is in it. */
  bodyBytesMax({ headers }: HttpRequest): number {
    return this.#deps.admit && headers.authorization === undefined ? 0 : MANAGEMENT_BYTES_MAX;
  }

  /** Answers a plain HTTP request: a call to @connections, or one that should have been a handshake. */
  handle(request: HttpRequest, body: Buffer, response: HttpResponse): void {
    const target = parseConnectionPath(pathOf(request));
    if (target === undefined) {
      askForUpgrade(response);
      return;
    }
    const { clock, faults, admit = ADMIT_ALL } = this.#deps;
    const accesses = () => [this.#accessOf(target, request)];
    if (!admit(request, body, response, accesses)) return;
    const fault = faults?.management?.(request.method ?? '', target.connectionId);
    if (fault) {
      const perform = () => this.#manageConnection(request, target, body);
      const answer = (answer: Answer) => write(response, answer);
      answerFaulty(fault, { method: request.method, perform, answer }, clock);
    } else {
      write(response, this.#manageConnection(request, target, body));
    }
  }

  /** Closes every socket and waits until the last `$disconnect` has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const socket of this.#pending) socket.destroy();
    for (const connection of this.#connections.values()) connection.close(GOING_AWAY);
    this.#delays.endAll();
    await Promise.all(this.#lives);
  }

  /** Not part of the options literal at its use: `closeTimeout` is newer than the types of `ws`. */
  #webSocketOptions() {
    return {
      noServer: true,
      clientTracking: false,
      maxPayload: MESSAGE_BYTES_MAX,
      // Clients offer it, and `$connect` sees the offer; AWS has not been seen to accept it: [inference].
      perMessageDeflate: false,
      closeTimeout: CLOSE_HANDSHAKE_MS_MAX,
      // `ws` alone would pick the client's first. AWS echoes what `$connect` returned, and nothing else; that it does so
      // whatever was offered is [inference].
      handleProtocols: () => false as const,
    } as const;
  }

  #isStage(path: string): boolean {
    return path === this.#stagePath || path === `${this.#stagePath}/`;
  }

  #isBelowStage(path: string): boolean {
    return path === this.#stagePath || path.startsWith(`${this.#stagePath}/`);
  }

  #upgradeFault(request: IncomingMessage): number | undefined {
    if (this.#isClosed) return 503;
    return this.#isStage(pathOf(request)) ? handshakeFault(request) : 403;
  }

  #accessOf(path: ConnectionPath, { method = '' }: HttpRequest): AccessRequest {
    return connectionsAccess(this.#account, { ...path, apiId: this.#source.apiId, method });
  }

  #manageConnection({ method }: HttpRequest, { stage, connectionId }: ConnectionPath, body: Buffer): Answer {
    if (stage !== this.#source.stage) return failure(403, GatewayError.forbidden);
    if (!this.#throttle.admitsRequest()) return TOO_MANY;
    const answer = manageConnection(method, connectionId, this.#connections.get(connectionId), body);
    this.#deps.meter?.managed(method, answer.status, body.length);
    return answer;
  }

  async #shakeHands(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const origin = this.#originOf({
      id: this.#newId(),
      connectedAt: this.#deps.clock.now(),
      identity: identityOf(request),
      authorizer: undefined,
    });
    this.#pending.add(socket);
    const admission = await this.#admit(origin, request);
    this.#pending.delete(socket);
    if (!admission.accepted) {
      refuse(socket, admission.status, errorText(admission.message, origin));
      return;
    }
    const { connection, subprotocol } = admission;
    if (subprotocol !== undefined) this.#subprotocols.set(request, subprotocol);
    // Never calls back if the client gave up meanwhile, or the gateway closed: then there was no connection.
    request.headers.upgrade = 'websocket'; // `ws` knows no list of protocols
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#open(connection, webSocket, socket);
    });
  }

  /** The account's throttle, the authorizer and `$connect` have their say. That it is in this order is [inference]. */
  async #admit(origin: EventOrigin, request: IncomingMessage): Promise<Admission> {
    if (!this.#throttle.admitsConnection()) return TOO_MANY_CONNECTIONS;
    this.#prepare();
    const handshake = {
      headers: forwardedHeaders(request, origin, this.#deps.randomBytes),
      query: queryOf(request),
    };
    const authorization = await this.#authorize(origin, handshake);
    if (!authorization.accepted) return authorization;
    if (this.#isClosed) return CLOSED;
    const connection = { ...origin.connection, authorizer: authorization.authorizer };
    const verdict = await this.#askConnect({ ...origin, connection }, handshake);
    return verdict.accepted ? { ...verdict, connection } : verdict;
  }

  /**
   * With the first handshake, what follows it is made ready: `$connect`, and the first of the other routes, which a client
   * most likely asks for next. Else one start would wait for the other.
   */
  #prepare(): void {
    if (this.#isPrepared) return;
    this.#isPrepared = true;
    const first = [...this.#routes.keys()].find((key) => !key.startsWith('$')) ?? DEFAULT_ROUTE;
    for (const key of [CONNECT_ROUTE, first]) {
      const route = this.#routes.get(key);
      if (route) this.#deps.prepare?.(route.functionArn);
    }
  }

  /** Without the route everybody is let in ("Setting up an integration for $connect is optional"). */
  async #askConnect(origin: EventOrigin, handshake: Handshake): Promise<Verdict> {
    const route = this.#routes.get(CONNECT_ROUTE);
    if (route === undefined) return { accepted: true };
    return judge(await integrate(route, connectEvent(origin, handshake), this.#deps));
  }

  #open(accepted: EventConnection, webSocket: WebSocket, stream: Duplex): void {
    const connection: Connection = new Connection(accepted, webSocket, stream, {
      clock: this.#deps.clock,
      onMessage: (text) => void this.#attend(connection, text),
    });
    const life = owned(
      () => this.#live(connection),
      (error) => this.#say(`$disconnect of ${connection.id} failed`, error),
    ).finally(() => this.#lives.delete(life));
    this.#lives.add(life);
  }

  async #live(connection: Connection): Promise<void> {
    this.#connections.set(connection.id, connection);
    this.#deps.meter?.opened();
    const closing = await connection.closed;
    this.#connections.delete(connection.id);
    this.#deps.meter?.closed();
    await this.#tellDisconnect(connection, closing);
  }

  /** Best effort, as on AWS: how it ends is of no interest to anybody. */
  async #tellDisconnect(connection: Connection, closing: Closing): Promise<void> {
    const route = this.#routes.get(DISCONNECT_ROUTE);
    if (route === undefined) return;
    const fault = this.#isClosed ? undefined : this.#deps.faults?.disconnect?.(connection.id);
    if (fault === 'never') return;
    if (fault !== undefined) await this.#delays.wait(fault);
    await integrate(route, disconnectEvent(this.#originOf(connection), closing), this.#deps);
  }

  #attend(connection: Connection, body: string): Promise<void> {
    return owned(
      () => this.#receive(connection, body),
      (error) => {
        this.#say(`a message of ${connection.id} failed`, error);
        connection.send(Buffer.from(errorText(GatewayError.internal, this.#originOf(connection))));
      },
    );
  }

  /** Every message is its own invocation and waits for no other, so replies may overtake each other. */
  async #receive(connection: Connection, body: string): Promise<void> {
    const origin = this.#originOf(connection);
    this.#deps.meter?.received(Buffer.byteLength(body));
    const reply = this.#throttle.admitsRequest()
      ? await this.#answerMessage(origin, body)
      : errorText(GatewayError.throttled, origin);
    // A client that left or does not read loses its reply; there is nobody to tell. On AWS too: [inference].
    if (reply === undefined) return;
    const text = Buffer.from(reply);
    if (connection.send(text)) this.#deps.meter?.replied(text.length);
  }

  async #answerMessage(origin: EventOrigin, body: string): Promise<string | undefined> {
    const selected = this.#routeKeyOf(body);
    const routeKey = this.#routes.has(selected) ? selected : DEFAULT_ROUTE;
    const route = this.#routes.get(routeKey);
    if (route === undefined) return errorText(GatewayError.forbidden, origin);
    const event = messageEvent(origin, { id: this.#newId(), routeKey, body });
    return replyText(await integrate(route, event, this.#deps), route.replies, origin);
  }

  #originOf(connection: EventConnection): EventOrigin {
    const request: EventRequest = { id: this.#newId(), receivedAt: this.#deps.clock.now() };
    return { source: this.#source, connection, request };
  }

  #say(what: string, error: unknown): void {
    this.#deps.log?.(`${what}: ${error}`);
  }

  #newId(): string {
    return createId(this.#deps.randomBytes);
  }
}

function askForUpgrade(response: HttpResponse): void {
  response.setHeader('Upgrade', 'websocket');
  write(response, failure(426, 'Upgrade Required'));
}

const pathOf = ({ url = '' }: Pick<IncomingMessage, 'url'>): string => {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
};

const queryOf = ({ url = '' }: IncomingMessage): [string, string][] => {
  const query = url.indexOf('?');
  return query < 0 ? [] : [...new URLSearchParams(url.slice(query))];
};
