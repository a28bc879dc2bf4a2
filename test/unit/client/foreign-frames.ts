import { listen, outcomeOf, type World, world } from './harness.ts';

/**
 * Frames that Fanwire has not made, thrown at a client that has one command of each kind in flight: other text, other
 * JSON, and most of all frames that are right but for one field. `node test/unit/client/foreign-frames.ts 1000000` throws
 * a million.
 */

type Json = unknown;
type Fields = Record<string, Json>;
type Random = () => number;
type Outcome = ReturnType<typeof outcomeOf<unknown>>;

/** A small generator of random numbers from a seed (mulberry32). */
function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = <T>(random: Random, values: readonly T[]): T =>
  values[Math.floor(random() * values.length)] as T;

/** What no field of a frame may be, by the type that it has. Undefined leaves it out. */
const WRONG: Readonly<Record<string, readonly Json[]>> = {
  string: [null, 0, 7, true, [], {}, ['a'], { toString: 1 }],
  number: [null, -1, 0.5, 1e300, '1', true, [], {}, [1]],
  boolean: [null, 0, 1, 'true', [], {}],
  object: [null, 0, '', 'x', true, []],
  array: [null, 0, '', 'x', true, {}, { length: 1, 0: 'm1' }, [null], [[]], [7], ['x', {}]],
};
/** May be left out of a frame, or be anything. */
const OPTIONAL = new Set(['id', 'userId', 'more', 'recovered', 'messages', 'places', 'behind', 'rollover']);
const MAY_BE_ANYTHING = new Set(['data']);
/** Whatever is in there may be missing. */
const OPTIONAL_IN = new Set(['publisher']);

const typeOf = (value: Json): string => (Array.isArray(value) ? 'array' : typeof value);

/** Paths to every field of a frame. */
function pathsOf(value: Json, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...path]];
  const inner = Object.entries(value).flatMap(([name, field]) =>
    MAY_BE_ANYTHING.has(name) ? [[...path, name]] : pathsOf(field, [...path, name]),
  );
  return path.length > 0 ? [[...path], ...inner] : inner;
}

function isOptional(path: readonly string[]): boolean {
  const name = path.at(-1) ?? '';
  return OPTIONAL.has(name) || OPTIONAL_IN.has(path.at(-2) ?? '') || /^\d+$/.test(name);
}

/** In place of a place, null says that the topic keeps no history. */
const wrongFor = (path: readonly string[], value: Json): readonly Json[] =>
  (WRONG[typeOf(value)] ?? []).filter((it) => it !== null || path.at(-2) !== 'places');

/** The frame with one field that is missing or of another type. */
function spoil(frame: Fields, random: Random): Fields {
  const spoilt = structuredClone(frame);
  const path = pick(random, pathsOf(spoilt));
  const name = path.at(-1) ?? '';
  const holder = path.slice(0, -1).reduce((it, key) => it[key] as Fields, spoilt);
  const wrong = MAY_BE_ANYTHING.has(name) ? [] : wrongFor(path, holder[name]);
  if (wrong.length === 0 || (!isOptional(path) && random() < 0.3)) delete holder[name];
  else holder[name] = pick(random, wrong);
  return spoilt;
}

const message = (offset?: number): Fields => ({
  messageId: `forged${offset}`,
  publishedAt: '2026-01-01T00:00:00Z',
  publisher: { connectionId: 'c', userId: 'u' },
  data: 'forged',
  ...(offset !== undefined && { offset }),
});

/** Right frames of every kind, and for every command in flight its ack. */
function templates(world: World): Fields[] {
  const { epoch } = world.server.log('log/a');
  const page = { epoch, offset: 9, messages: [message(8), message(9)], more: true, recovered: true };
  const acks: Record<string, (frame: Fields) => Fields> = {
    subscribe: ({ topic }) => ({ topic, ...page }),
    unsubscribe: ({ topic }) => ({ topic }),
    history: ({ topic }) => ({ topic, ...page }),
    publish: ({ messages }) =>
      messages
        ? {
            messageIds: ['forged', 'forged', 'forged'],
            places: [{ epoch, offset: 1 }, { dropped: 'stale' }, { epoch, offset: 2 }],
          }
        : { messageId: 'forged', epoch, offset: 1 },
    send: () => ({ messageId: 'forged' }),
    whoami: () => ({ connectionId: 'forged', userId: 'forged', endpoint: 'forged' }),
    ping: () => ({ behind: [{ topic: 'log/a', epoch, offset: 9 }], rollover: true }),
    authenticate: () => ({ expiresAt: '2026-01-01T00:00:00Z' }),
  };
  const inFlight = world.server.commands.flatMap(({ frame }) => {
    const { id, action } = frame;
    return [
      { type: 'ack', id, action, ...acks[action]?.(frame) },
      { type: 'error', id, code: 'forbidden', message: 'forged' },
    ];
  });
  return [
    ...inFlight,
    { type: 'message', topic: 'log/a', epoch, ...message(1) },
    { type: 'message', topic: 'log/a', epoch, offset: 1, skipped: true },
    { type: 'messages', topic: 'log/a', epoch, messages: [message(1), message(2)] },
    { type: 'messages', topic: 'log/a', epoch, messages: [message(1), { offset: 2, skipped: true }] },
    { type: 'receipt', id: '1', messageId: 'forged', topic: 'log/a', epoch, offset: 1 },
    { type: 'receipt', id: '1', messageId: 'forged', topic: 'log/a', dropped: 'stale' },
    { type: 'closing', code: 'revoked', reconnect: false, message: 'forged' },
    { type: 'closing', code: 'expired', reconnect: true, message: 'forged' },
  ];
}

/** The ack of one command in place of that of another: right in itself, and of the right id. */
function mistaken(frames: readonly Fields[], random: Random): Fields {
  const acks = frames.filter(({ type }) => type === 'ack');
  const [one, other] = [pick(random, acks), pick(random, acks)];
  const isSame = one.action === other.action && one.topic === other.topic;
  return isSame ? { ...one, action: 'none' } : { ...other, id: one.id };
}

const VALUES: readonly Json[] = [null, true, 0, -1, 1e21, '', 'x', 'log/a', [], {}, [[]], { a: 1 }];
const TYPES: readonly Json[] = [
  'ack',
  'error',
  'message',
  'messages',
  'receipt',
  'closing',
  'presence',
  'toString',
  '__proto__',
  null,
  7,
];
const NAMES = [
  'type',
  'id',
  'action',
  'topic',
  'epoch',
  'offset',
  'messages',
  'messageId',
  'message',
  'code',
  '__proto__',
];

/** Any fields with any values, of which at least one is not what a frame of that type needs. */
const anything = (random: Random): Fields => {
  const fields: Fields = { type: pick(random, TYPES) };
  for (let n = random() * 4; n > 1; n--) fields[pick(random, NAMES.slice(1))] = pick(random, VALUES);
  return fields;
};

const TEXTS: readonly Json[] = [
  '',
  ' ',
  'hello',
  'null',
  '7',
  '"x"',
  '[]',
  '[1]',
  '{',
  '{"type":"message"',
  'undefined',
  '\u0000',
  '{}',
  '{"type":"receipt"}',
  '{"type":"message","topic":null,"data":"hi"}',
  '{"message":{"toString":1}}',
  '{"message":null}',
  '{"type":"messages"}',
  '{"type":"ack"}',
  '{"type":"error"}',
  `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
  `{"type":"message","topic":"${'a/'.repeat(60_000)}a","messageId":"m","publishedAt":"","publisher":{},"data":1}`,
  undefined,
  null,
  7,
  new ArrayBuffer(8),
  new Uint8Array(3),
  new Blob(['{}']),
  Object.create(null),
  Symbol('x'),
];

/** Text of a frame, or what a socket may give in its place. */
function foreign(frames: readonly Fields[], random: Random): Json {
  const chance = random();
  if (chance < 0.7) return JSON.stringify(spoil(pick(random, frames), random));
  if (chance < 0.8) return JSON.stringify(mistaken(frames, random));
  if (chance < 0.95) return JSON.stringify(anything(random));
  if (chance < 0.98) return JSON.stringify(pick(random, frames)).slice(0, Math.floor(random() * 60));
  return pick(random, TEXTS);
}

const NEVER = { commandTimeoutMs: 1e8, publishTimeoutMs: 1e8, heartbeatMs: 1e8, pongTimeoutMs: 1e8 };

/** A client with a command of each kind in flight; its publishes are in one frame, or the first is alone. */
async function busyWorld(isBatch: boolean) {
  const it = world({ ...NEVER, token: () => 't' }, (server) => {
    server.onAuthenticate = () => '2036-01-01T00:00:00Z';
    server.onCommand = ({ action }) => (action === 'publish' ? 'lost' : undefined);
  });
  const { client, server, clock } = it;
  const publish = () => [1, 2, 3].map((n) => outcomeOf<unknown>(client.publish('log/a', n)));
  const early = isBatch ? publish() : [];
  const log = listen(client, 'log/a');
  const live = listen(client, 'live/a');
  const left = client.subscribe('live/left');
  await clock.advance(50);
  const unanswered = server.commands.filter(({ frame }) => frame.action === 'publish');
  server.commands.splice(0, Infinity, ...unanswered);
  server.onCommand = () => 'lost';
  left.unsubscribe();
  const pending: Outcome[] = [
    ...early,
    ...(isBatch ? [] : publish()),
    outcomeOf(client.subscribe('log/b').ready),
    outcomeOf(client.subscribe('live/b').ready),
    outcomeOf(client.send({ userId: 'a' }, 1)),
    outcomeOf(client.history('log/a')),
    outcomeOf(client.whoami()),
    outcomeOf(client.refresh()),
  ];
  await clock.advance(50);
  return { world: it, log, live, pending };
}

export interface Thrown {
  readonly frames: number;
  /** How many of them the client has spoken of. */
  readonly reported: number;
  /** What it should not have done. */
  readonly faults: string[];
}

/** Throws so many frames at a client, then lets the server answer, and looks whether all is well. */
export async function throwFrames(seed: number, count: number): Promise<Thrown> {
  const random = randomFrom(seed);
  const { world: it, log, live, pending } = await busyWorld(seed % 2 === 0);
  const { server, clock, errors, direct } = it;
  const frames = templates(it);
  const faults: string[] = [];
  const shown = (data: Json) => (typeof data === 'string' ? data.slice(0, 300) : typeof data);
  let reported = 0;
  for (let n = 0; n < count; n++) {
    const data = foreign(frames, random);
    try {
      server.socket.onmessage?.({ data });
    } catch (error) {
      faults.push(`threw ${error} at ${shown(data)}`);
      break;
    }
    reported += errors.splice(0).length;
    if (n % 100 > 0) continue;
    // Promises settle.
    await clock.advance(0);
    if (log.data.length + live.data.length + direct.length > 0) faults.push('gave a message that is none');
    if (pending.some((one) => 'value' in one || one.error)) faults.push('settled a promise');
    if (faults.length > 0) {
      faults.push(`at ${shown(data)}`);
      break;
    }
  }
  return { frames: count, reported, faults: [...faults, ...(await faultsAfter(it, pending, log.data))] };
}

/** The server answers every command now, and publishes: the client must be as well as ever. */
async function faultsAfter(
  { client, server, clock }: World,
  pending: readonly Outcome[],
  seen: readonly unknown[],
): Promise<string[]> {
  const faults: string[] = [];
  server.onCommand = () => undefined;
  for (const { socket, frame } of [...server.commands]) server.receive(socket, JSON.stringify(frame));
  await clock.advance(1000);
  server.publish('log/a', 'last');
  await clock.advance(5000);
  for (const [index, { error, value }] of pending.entries()) {
    if (error) faults.push(`${index} failed with ${error}`);
    else if (JSON.stringify(value)?.includes('forged')) faults.push(`${index} had a wrong success`);
  }
  if (pending.some((one) => !('value' in one))) faults.push('a promise hangs');
  if (client.state !== 'connected') faults.push(`the client is ${client.state}`);
  if (seen.at(-1) !== 'last') faults.push(`the subscription hangs: ${JSON.stringify(seen)}`);
  return faults;
}

if (import.meta.main) {
  const total = Number(process.argv[2] ?? 1_000_000);
  const perSeed = 10_000;
  let reported = 0;
  for (let seed = 0; seed * perSeed < total; seed++) {
    const thrown = await throwFrames(seed, perSeed);
    reported += thrown.reported;
    if (thrown.faults.length > 0) {
      console.error(`seed ${seed}: ${thrown.faults.join('; ')}`);
      process.exit(1);
    }
  }
  console.log(
    `${total} frames that Fanwire has not made: no throw, no hang, no wrong success, ${reported} reported`,
  );
}
