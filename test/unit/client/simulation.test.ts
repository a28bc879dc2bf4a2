import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type {
  Client,
  Message,
  Position,
  Published,
  Recovery,
  SubscribeOptions,
  Subscription,
} from '../../../shared/client/index.ts';
import type { FakeServer, FakeSocket, Fate, LiveFate } from './fake-server.ts';
import { connected, listen, outcomeOf, type World } from './harness.ts';

/**
 * The whole client against a server on a network that loses, repeats, delays and reorders frames, cuts and freezes
 * connections, and on logs that are trimmed or begin anew. A failure prints its seed.
 */

const RUNS = 300;
const TOPICS = ['log/a', 'log/b'];
const LIVE = 'live/a';

const steps = fc.array(
  fc.record({
    what: fc.oneof(
      { weight: 12, arbitrary: fc.constant('publish' as const) },
      { weight: 4, arbitrary: fc.constant('client publishes' as const) },
      { weight: 2, arbitrary: fc.constant('burst' as const) },
      { weight: 2, arbitrary: fc.constant('tombstone' as const) },
      { weight: 2, arbitrary: fc.constant('cut' as const) },
      { weight: 1, arbitrary: fc.constant('freeze' as const) },
      { weight: 1, arbitrary: fc.constant('trim' as const) },
      { weight: 1, arbitrary: fc.constant('reincarnate' as const) },
      { weight: 1, arbitrary: fc.constant('age' as const) },
      { weight: 1, arbitrary: fc.constant('network' as const) },
      { weight: 1, arbitrary: fc.constant('closing' as const) },
      { weight: 1, arbitrary: fc.constant('refresh' as const) },
      { weight: 2, arbitrary: fc.constant('resubscribe' as const) },
      { weight: 8, arbitrary: fc.constant('wait' as const) },
    ),
    topic: fc.constantFrom(...TOPICS),
    ms: fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 3000 }), fc.nat({ max: 40_000 })),
  }),
  { maxLength: 100, size: 'max' },
);

type Plan = typeof steps extends fc.Arbitrary<infer P> ? P : never;

/** A small generator of random numbers from a seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function disturb(server: FakeServer, random: () => number): void {
  const pick = <T>(...fates: [number, T][]): T | undefined => {
    let chance = random();
    for (const [share, fate] of fates) {
      chance -= share;
      if (chance < 0) return fate;
    }
    return undefined;
  };
  server.onCommand = () =>
    pick<Fate>(
      [0.03, 'lost'],
      [0.03, 'reply lost'],
      [0.02, 'gateway error'],
      [0.04, { error: 'unavailable' }],
      [0.03, { error: 'rate_limited', retryAfterMs: Math.floor(random() * 5000) }],
      [0.1, { replyAfterMs: Math.floor(random() * 2000) }],
      [0.05, { runAfterMs: Math.floor(random() * 2000) }],
    );
  server.onLive = () =>
    pick<LiveFate>([0.1, 'lost'], [0.1, 'twice'], [0.2, { afterMs: Math.floor(random() * 2000) }]);
  server.onConnect = () => pick([0.15, 'refuse'], [0.1, 'hang']) ?? 'open';
}

const calm = (server: FakeServer): void => {
  server.onCommand = () => undefined;
  server.onLive = () => undefined;
  server.onConnect = () => 'open';
};

/** Follows what the application gets of a log: everything once, in order, or else it must have been told. */
class Witness {
  readonly faults: string[] = [];
  readonly topic: string;
  readonly #server: FakeServer;
  readonly #client: Client;
  /** Takes messages only when told to. */
  readonly #isSlow: boolean;
  #position: Position | undefined;
  #sub: Subscription;
  #iterator: AsyncIterator<Message> | undefined;
  #isTaking = false;
  readonly #grant: SubscribeOptions;

  constructor({ server, client }: World, topic: string, isSlow = false, grant: SubscribeOptions = {}) {
    this.#server = server;
    this.#client = client;
    this.#isSlow = isSlow;
    this.#grant = grant;
    this.topic = topic;
    this.#sub = this.#subscribe(grant);
  }

  /** Ends the subscription, and begins another one where it was. */
  resubscribe(): void {
    this.#sub.unsubscribe();
    const { position } = this.#sub;
    this.#sub = this.#subscribe({ ...this.#grant, ...(position && { position }) });
  }

  /** The next message, if there is one and it waits to be taken. */
  async take(): Promise<boolean> {
    if (!this.#iterator || this.#isTaking) return false;
    const iterator = this.#iterator;
    this.#isTaking = true;
    iterator.next().then(({ value, done }) => {
      if (iterator === this.#iterator) this.#isTaking = false;
      if (!done) this.#saw(value);
    });
    await setImmediate();
    return !this.#isTaking;
  }

  expectAll(): void {
    const { state, position } = this.#sub;
    if (state !== 'subscribed') this.faults.push(`is ${state} in the end`);
    if (!this.#server.logs.has(this.topic) && position?.offset === 0) return;
    const { epoch, newest } = this.#server.log(this.topic);
    if (position?.epoch !== epoch || position.offset !== newest) {
      this.faults.push(`ends at ${JSON.stringify(position)}, expected ${epoch} ${newest}`);
    }
    if (this.#position) this.#expectNothingBetween(this.#position, { epoch, offset: newest + 1 });
  }

  #subscribe(options: SubscribeOptions): Subscription {
    const onRecovery = (recovery: Recovery) => this.#lost(recovery);
    if (!this.#isSlow) {
      return this.#client.subscribe(this.topic, { ...options, onRecovery, onMessage: (it) => this.#saw(it) });
    }
    const sub = this.#client.subscribe(this.topic, { ...options, onRecovery });
    this.#iterator = sub[Symbol.asyncIterator]();
    this.#isTaking = false;
    return sub;
  }

  #saw({ epoch = '', offset = 0, data }: Message): void {
    if (this.#server.allLogs.get(epoch)?.entries.get(offset)?.data !== data) {
      this.faults.push(`got something else than was published as ${epoch} ${offset}`);
    }
    this.#expectNothingBetween(this.#position ?? { epoch, offset: offset - 1 }, { epoch, offset });
    this.#position = { epoch, offset };
  }

  #lost({ recovered, from, to }: Recovery): void {
    if (recovered || !to) return;
    if (this.#position && from)
      this.#expectNothingBetween(this.#position, { ...from, offset: from.offset + 1 });
    this.#position = to;
  }

  #expectNothingBetween(from: Position, to: Position): void {
    if (from.epoch !== to.epoch || from.offset >= to.offset) {
      this.faults.push(`got ${JSON.stringify(to)} after ${JSON.stringify(from)}`);
      return;
    }
    const entries = this.#server.allLogs.get(from.epoch)?.entries;
    for (let offset = from.offset + 1; offset < to.offset; offset++) {
      if (entries?.has(offset)) this.faults.push(`was not told of ${from.epoch} ${offset}`);
    }
  }
}

interface Publication {
  readonly topic: string;
  readonly data: number;
  readonly outcome: ReturnType<typeof outcomeOf<Published>>;
}

/** What is wrong with what came of the client's own publishes. */
function faultsOfPublications({ server }: World, publications: readonly Publication[]): string[] {
  const faults: string[] = [];
  const entries = [...server.allLogs.values()].flatMap((log) => [...log.entries.values()]);
  for (const { data, outcome } of publications) {
    const found = entries.filter((entry) => entry.data === data);
    if (found.length > 1) faults.push(`${data} was published ${found.length} times`);
    if (!outcome.value && !outcome.error) faults.push(`${data} has no result`);
    if (outcome.value && found[0]?.messageId !== outcome.value.messageId)
      faults.push(`${data} has another id`);
  }
  for (const log of server.allLogs.values()) {
    const own = [...log.entries.values()].map(({ data }) => Number(data)).filter((data) => data < 0);
    if (own.some((data, index) => data > (own[index - 1] ?? 0))) faults.push(`out of order: ${own}`);
  }
  return faults;
}

const GRANT_MS = 90_000;

/** A server that ends subscriptions with their grants, without a word. Gives the grants. */
function grantFrom({ server, clock }: World): () => string {
  const ends = new Map<FakeSocket, number>();
  server.onGrant = ({ topic, grant }, socket) => {
    if (!grant) return {};
    const endsAtMs = Number(grant);
    ends.set(socket, endsAtMs);
    clock.setTimeout(() => {
      if (ends.get(socket) === endsAtMs) socket.topics.delete(topic);
    }, endsAtMs - clock.now());
    return { expiresAt: new Date(endsAtMs).toISOString() };
  };
  server.onAuthenticate = () => new Date(clock.now() + GRANT_MS).toISOString();
  return () => String(clock.now() + GRANT_MS);
}

/** The server says that it will end each connection, and does so after a time. */
function foretell({ server, clock }: World, afterMs: number): void {
  for (const socket of server.openSockets) {
    socket.deliver({ type: 'closing', code: 'expired', reconnect: true, message: '' });
    clock.setTimeout(() => socket.cut(1001), afterMs);
  }
}

async function simulate(plan: Plan, seed: number): Promise<string[]> {
  const world = await connected({ random: randomFrom(seed), bufferMax: 20, token: () => 't' });
  const { client, server, clock, network } = world;
  const witnesses = [
    new Witness(world, 'log/a'),
    new Witness(world, 'log/b', false, { grant: grantFrom(world) }),
    new Witness(world, 'log/a', true),
  ];
  const live = listen(client, LIVE);
  const publications: Publication[] = [];
  let published = 0;
  server.inlineMax = 5;
  server.pageMax = 7;
  disturb(server, randomFrom(seed + 1));
  const clientPublishes = (topic: string) => {
    const data = -1 - publications.length;
    publications.push({
      topic,
      data,
      outcome: outcomeOf(client.publish(topic, data, { stored: data % 2 === 0 })),
    });
  };
  for (const { what, topic, ms } of plan) {
    if (what === 'publish') server.publish(topic, ++published);
    if (what === 'publish') server.publish(LIVE, published);
    if (what === 'burst') for (let n = 0; n < 1 + ms / 500; n++) server.publish(topic, ++published);
    if (what === 'client publishes') for (let n = 0; n < 1 + (ms % 4); n++) clientPublishes(topic);
    if (what === 'tombstone') server.tombstone(topic);
    if (what === 'cut') for (const socket of server.openSockets) socket.cut();
    if (what === 'freeze') server.socket.isFrozen = true;
    if (what === 'trim') server.trim(topic, server.log(topic).newest);
    if (what === 'reincarnate') server.reincarnate(topic);
    if (what === 'age') server.socket.isOld = true;
    if (what === 'network') network.say('offline');
    if (what === 'closing') foretell(world, ms % 1000);
    if (what === 'refresh') client.refresh().catch(() => {}); // may be refused as all else is
    if (what === 'resubscribe') witnesses[ms % 3]?.resubscribe();
    await clock.advance(what === 'burst' ? 0 : ms);
    if (what === 'network') network.say('online');
    await witnesses[2]?.take();
  }
  calm(server);
  for (let n = 0; n < 10; n++) {
    await clock.advance(30_000);
    while (await witnesses[2]?.take());
  }
  for (const witness of witnesses) witness.expectAll();
  const faults = witnesses.flatMap(({ topic, faults }, index) =>
    faults.map((fault) => `${index} ${topic}: ${fault}`),
  );
  if (client.state !== 'connected') faults.push(`the client is ${client.state}`);
  if (server.openSockets.length !== 1) faults.push(`${server.openSockets.length} open sockets`);
  if (new Set(live.data).size < live.data.length) faults.push('a live message came twice');
  return [...faults, ...faultsOfPublications(world, publications)];
}

it('gives an application everything once and in order, or says that it cannot, whatever happens', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer(), async (plan, seed) => {
      expect(await simulate(plan, seed)).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});
