import { type AuthenticateDeps, authenticate } from '../../services/authenticate/authenticate.ts';
import { ping } from '../../services/ping/ping.ts';
import { assemble as assembleSubscribe } from '../../services/subscribe/assemble.ts';
import { subscribe } from '../../services/subscribe/subscribe.ts';
import { assemble as assembleUnsubscribe } from '../../services/unsubscribe/assemble.ts';
import { unsubscribe } from '../../services/unsubscribe/unsubscribe.ts';
import type { Access } from '../../shared/auth/access.ts';
import { type Fault, TokenError } from '../../shared/auth/errors.ts';
import { createGuard } from '../../shared/auth/guard.ts';
import { createTakeToken } from '../../shared/auth/own-token.ts';
import { createConnections, RENEWAL_PAUSE_MS } from '../../shared/data/connections.ts';
import { createRevocations } from '../../shared/data/revocations.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import { type Bearer, endsAtMs } from '../../shared/lambda/bearer.ts';
import type { Namespaces } from '../../shared/protocol/namespaces.ts';
import {
  parseAuthenticate,
  parsePing,
  parseSubscribe,
  parseSubscription,
} from '../../shared/protocol/parse.ts';
import type { Rights } from '../../shared/protocol/rights.ts';
import { parsePattern } from '../../shared/protocol/topic.ts';
import { type MakeRequest, MemoryDynamoDB } from '../memory/dynamodb.ts';
import { namespacesOf } from './namespaces.ts';

export const CONNECTED_AT_MS = Date.UTC(2026, 10, 20);
const CONNECTION_ID = 'c';
const UNLIMITED = { limits: { rates: {}, publishBytesMax: 1 }, accessTable: 'access' };

/** What a token of these tests says: its text is this as JSON. */
export interface Said extends Partial<Omit<Access, 'rights' | 'expiresAt'>> {
  readonly rights?: Rights;
  /** After the connection was opened. */
  readonly endsInMs?: number;
  readonly fault?: Fault;
}

/** One connection of ada's, with the routes that subscribe and renew, on tables in memory. */
export class Renewals {
  nowMs = CONNECTED_AT_MS;
  /** When somebody will look whether the connection is over, after its opening. */
  readonly checks: number[] = [];
  readonly tables = new MemoryDynamoDB({ now: () => this.nowMs });
  readonly #clock = {
    now: () => this.nowMs,
    wait: async () => {},
    random: () => 0,
    newId: () => 'id',
  };
  readonly revocations = createRevocations(this.tables.client(), 'access', this.#clock);
  readonly connections = createConnections(this.tables.client(), 'connections', this.#clock.now);
  readonly #subscriptions = createSubscriptions(this.tables.client(), 'subscriptions', this.#clock);
  readonly #namespaces: Namespaces;
  readonly bearer: Bearer;

  /** With the token that it is opened with; the same user's are all others that name none. */
  constructor({ rights = {}, endsInMs = 600_000, userId = 'ada' }: Said = {}, namespaces = namespacesOf()) {
    this.#namespaces = namespaces;
    this.bearer = {
      ...(userId !== '' && { userId }),
      ...{ rights, expiresAtMs: CONNECTED_AT_MS + endsInMs, tokenId: 'first' },
    };
  }

  async open(): Promise<this> {
    const { userId, tokenId } = this.bearer;
    await this.connections.open({
      ...{ connectionId: CONNECTION_ID, connectedAtMs: CONNECTED_AT_MS },
      ...{ tokenId, userId, tokenEndsAtMs: endsAtMs(this.bearer) },
    } as Parameters<typeof this.connections.open>[0]);
    return this;
  }

  /** No sooner than it may be renewed again. */
  authenticate(said: Said, makeRequest?: MakeRequest) {
    const renewedAtMs = Number(this.tables.items('connections')[0]?.renewedAt?.N ?? 0);
    this.nowMs = Math.max(this.nowMs, renewedAtMs + RENEWAL_PAUSE_MS);
    return this.authenticateNow(said, makeRequest);
  }

  authenticateNow(said: Said, makeRequest?: MakeRequest) {
    const dynamodb = this.tables.client(makeRequest);
    const connections = createConnections(dynamodb, 'connections', this.#clock.now);
    const deps: AuthenticateDeps = {
      connections,
      subscriptions: createSubscriptions(dynamodb, 'subscriptions', this.#clock),
      takeToken: this.#takeToken,
      guard: this.#guard(connections),
      closings: { closeAt: async (_, atMs) => void this.checks.push(atMs - CONNECTED_AT_MS) },
      now: this.#clock.now,
    };
    return authenticate(
      this.#input(parseAuthenticate({ action: 'authenticate', token: JSON.stringify(said) })),
      deps,
    );
  }

  subscribe(topic: string, fields: object = {}, makeRequest?: MakeRequest) {
    const config = {
      ...{ connectionsTable: 'connections', subscriptionsTable: 'subscriptions', topicsTable: 'topics' },
      ...{ messagesTable: 'messages', subscriptionsMax: 10, namespaces: this.#namespaces },
      authorization: 'required' as const,
      ...UNLIMITED,
    };
    const clients = { dynamodb: this.tables.client(makeRequest), takeGrant: async () => this.#takeToken };
    const frame = parseSubscribe({ action: 'subscribe', topic, ...fields });
    return subscribe(this.#input(frame), assembleSubscribe(config, clients, this.#clock));
  }

  unsubscribe(topic: string) {
    const config = {
      ...{ connectionsTable: 'connections', subscriptionsTable: 'subscriptions', topicsTable: 'topics' },
      ...UNLIMITED,
    };
    const deps = assembleUnsubscribe(config, { dynamodb: this.tables.client() }, this.#clock);
    return unsubscribe(this.#input(parseSubscription('unsubscribe')({ topic })), deps);
  }

  ping() {
    return ping(this.#input(parsePing({})), {
      heads: { heads: async () => [] },
      guard: this.#guard(this.connections),
      ...{ rolloverAfterMs: 6_000_000, now: this.#clock.now },
    });
  }

  /** Whether messages to a topic reach the connection now. */
  async gets(topic: string): Promise<boolean> {
    const pages = this.#subscriptions.subscribers({ pattern: parsePattern(topic), shard: 0 });
    return (await Array.fromAsync(pages)).flat().includes(CONNECTION_ID);
  }

  /** After its opening, when messages to a topic stop; undefined if there is no row. */
  endOf(topic: string): number | undefined {
    const row = this.tables.items('subscriptions').find(({ topicShard }) => topicShard?.S === `${topic}#0`);
    return row && Number(row.expiresAt?.N) * 1000 - CONNECTED_AT_MS;
  }

  /** After its opening, when the connection ends. */
  get end(): number {
    return Number(this.tables.items('connections')[0]?.expiresAt?.N) * 1000 - CONNECTED_AT_MS;
  }

  readonly #takeToken = createTakeToken(async (text) => {
    const { fault, rights = {}, endsInMs = 600_000, ...said } = JSON.parse(text) as Said;
    if (fault) throw new TokenError(fault);
    return {
      ...{ userId: 'ada', tokenId: 'another', issuedAt: this.nowMs / 1000, rights },
      expiresAt: (CONNECTED_AT_MS + endsInMs) / 1000,
      ...said,
    };
  }, this.revocations);

  #guard(connections: Pick<typeof this.connections, 'standing'>) {
    const { now } = this.#clock;
    return createGuard({ authorization: 'required', connections, namespaces: this.#namespaces, now });
  }

  #input<F>(frame: F) {
    const { bearer } = this;
    return { ...{ connectionId: CONNECTION_ID, connectedAtMs: CONNECTED_AT_MS, bearer }, frame };
  }
}
