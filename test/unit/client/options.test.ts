import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type ClientOptions, connect, FanwireError } from '../../../shared/client/index.ts';
import { Timers } from '../../../shared/client/timers.ts';
import { Clock } from './clock.ts';
import { connected, outcomeOf, type World, world } from './harness.ts';

const MONTH_MS = 30 * 86_400_000;

const LIMITS = [
  'connectTimeoutMs',
  'commandTimeoutMs',
  'backoffMsMin',
  'backoffMsMax',
  'heartbeatMs',
  'pongTimeoutMs',
  'gapMs',
  'publishTimeoutMs',
  'queueMax',
  'bufferMax',
] as const;
const FUNCTIONS = ['WebSocket', 'now', 'random', 'setTimeout', 'clearTimeout', 'newId', 'token'] as const;

const NUMBERS = [
  undefined,
  0,
  -1,
  0.5,
  1,
  20,
  100,
  1000,
  5000,
  MONTH_MS,
  2 ** 31,
  2 ** 40,
  Infinity,
  NaN,
  null,
  '5000',
];
/** Without a WebSocket and timers of its own a test would use those of the platform. */
const NO_FUNCTIONS = [null, 0, 'x', {}];

const fails = (): never => {
  throw new TypeError('mine');
};

const TABLE: readonly (readonly [string, unknown])[] = [
  ...LIMITS.flatMap((name) => NUMBERS.map((value) => [name, value] as const)),
  ...FUNCTIONS.flatMap((name) => NO_FUNCTIONS.map((value) => [name, value] as const)),
  ...['now', 'random', 'newId', 'token'].map((name) => [name, undefined] as const),
  ...[
    undefined,
    null,
    7,
    '',
    'nonsense',
    'https://x',
    '//x',
    'wss://',
    'WSS://x/prod',
    'wss://x:99999/prod',
    'wss://x/#a',
    'wss://x/#',
    'wss://[x',
    'wss://a b',
  ].map((value) => ['url', value] as const),
  ...[undefined, null, 7, {}, globalThis].map((value) => ['network', value] as const),
  ...[() => NaN, () => -1, () => 2, () => 'x', () => Symbol('x')].map((value) => ['random', value] as const),
  ...['now', 'elapsedMs'].flatMap((name) =>
    [() => NaN, () => undefined, () => 1n, () => Symbol('x')].map((value) => [name, value] as const),
  ),
  ...['now', 'elapsedMs', 'random', 'setTimeout', 'clearTimeout', 'newId', 'WebSocket'].map(
    (name) => [name, fails] as const,
  ),
  ['setTimeout', (run: () => void) => run()],
  ['WebSocket', () => ({})],
  ['network', { addEventListener: fails, removeEventListener: fails }],
  ['network', { addEventListener: () => {}, removeEventListener: fails }],
  ...[() => 'wss://x', async () => 'wss://x', () => 7, () => 'nonsense', () => 'wss://x:99999'].map(
    (value) => ['url', value] as const,
  ),
  ...[() => 7, () => '\ud800', async () => undefined].map((value) => ['token', value] as const),
  ...[() => '', () => 7, () => Symbol('x'), () => 'x'.repeat(200)].map((value) => ['newId', value] as const),
  ['backofMsMax', 1000],
  ['Limits', {}],
  ['__proto__x', 1],
];

/** The most connects within a second that begins after the first. */
function mostPerSecond(atMs: readonly number[]): number {
  const later = atMs.slice(1);
  return Math.max(0, ...later.map((from) => later.filter((at) => at >= from && at < from + 1000).length));
}

function attempt(name: string, value: unknown, atMs: number[], isDown: boolean): World | FanwireError {
  const clock = new Clock();
  try {
    return world(
      { [name]: value } as Partial<ClientOptions>,
      (server) => {
        server.onConnect = () => {
          atMs.push(clock.now());
          return isDown ? 'refuse' : 'open';
        };
      },
      clock,
    );
  } catch (error) {
    return error as FanwireError;
  }
}

/** Whether it does what a client does, or else has said why not. */
async function works(
  { client, server, clock, errors }: World,
  connects: readonly number[],
): Promise<boolean> {
  await clock.advance(200);
  if (client.state === 'closed') return errors.some(({ code }) => code === 'bad_request');
  const published = outcomeOf(client.publish('log/a', 1));
  await clock.advance(200);
  if (published.error) return published.error.code === 'bad_request';
  return (
    published.value?.offset === 1 &&
    client.state === 'connected' &&
    connects.length === 1 &&
    server.openSockets.length === 1
  );
}

describe('any option', () => {
  it('is in the table in more than 200 values', () => {
    expect(TABLE.length).toBeGreaterThan(200);
  });

  it.each(TABLE.map(([name, value], index) => [index, name, value] as const))(
    '%d: %s of %s is refused or works, with at most one connect a second',
    async (_, name, value) => {
      for (const isDown of [false, true]) {
        const atMs: number[] = [];
        const it = attempt(name, value, atMs, isDown);
        if (!('client' in it)) {
          expect(it).toBeInstanceOf(FanwireError);
          expect(it).toMatchObject({
            code: 'bad_request',
            message: expect.stringMatching(/^expected .*, got /),
          });
          continue;
        }
        if (!isDown) expect(await works(it, atMs)).toBe(true);
        await it.clock.advance(60_000);
        expect(mostPerSecond(atMs)).toBeLessThanOrEqual(1);
        it.client.close();
        // A handshake of the server's may still be on its way.
        await it.clock.advance(50);
        expect(it.clock.waiting).toBe(0);
      }
    },
  );

  it('that is unknown, or of another type, is named with what was expected', () => {
    const options = (it: object) => () => world(it as ClientOptions);
    expect(options({ backofMsMax: 1 })).toThrow(
      /^expected options to be none but url, token, .*, got "backofMsMax"$/,
    );
    expect(options({ heartbeatMs: '30' })).toThrow(
      'expected heartbeatMs to be a number of milliseconds from 1000, or Infinity, got "30"',
    );
    expect(options({ backoffMsMin: 30_000 })).toThrow(
      'expected backoffMsMax to be at least backoffMsMin, which is 30000, got 20000',
    );
    expect(options({ setTimeout: (run: () => void) => run() })).toThrow(
      'expected setTimeout to give a call later, got "a call at once"',
    );
    expect(() => connect(undefined as never)).toThrow(
      'expected options to be a plain object, of no class, got nothing',
    );
    expect(() => connect('wss://x' as never)).toThrow(
      'expected options to be a plain object, of no class, got a string',
    );
    expect(() => connect({} as never)).toThrow(
      'expected url to be the URL of a WebSocket, wss://… or ws://… without a #, or a function, got nothing',
    );
  });

  it.each([
    ['a Map', new Map([['url', 'wss://x']])],
    ['a Date', new Date(0)],
    [
      'an object of a class',
      new (class {
        url = 'wss://x';
      })(),
    ],
    ['one that inherits its options', Object.create({ url: 'wss://x' })],
    ['an array', []],
    ['one that does not like to be looked at', new Proxy({}, { getPrototypeOf: fails })],
    [
      'one with a getter that throws',
      {
        get url() {
          return fails();
        },
      },
    ],
    [
      'one with a network that throws',
      {
        url: 'wss://x',
        network: {
          get addEventListener() {
            return fails();
          },
        },
      },
    ],
  ])('is read from a plain object, and not from %s', (_, options) => {
    let error: unknown;
    try {
      connect(options as never);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FanwireError);
    expect(error).toMatchObject({
      code: 'bad_request',
      message: expect.stringMatching(/^expected .*, got /),
    });
  });

  it('may be one of an object without any prototype, or of another window', async () => {
    for (const empty of [Object.create(null), runInNewContext('({})')]) {
      const { client, clock } = await connected();
      const published = outcomeOf(client.publish('live/a', 1, Object.assign(empty, { key: 'k' })));
      await clock.advance(50);
      expect(published.value).toBeDefined();
    }
  });

  it('is read once', async () => {
    const { client, server, clock } = await connected();
    let reads = 0;
    const options = {
      get key() {
        return `k${++reads}`;
      },
    };
    client.publish('live/a', 1, options);
    await clock.advance(50);
    expect(server.commandsOf('publish')).toMatchObject([{ key: 'k1' }]);
  });

  it('that holds a secret is not shown', () => {
    for (const it of [{ url: 'http://x?token=secret' }, { token: 'secret' }]) {
      expect(() => world(it as never)).toThrow(/got a string$/);
    }
  });
});

describe('a time', () => {
  it.each([MONTH_MS, 2 ** 31, Infinity])('of %d ms is not over at once', async (ms) => {
    const { client, clock, server, states } = await connected({
      connectTimeoutMs: ms,
      commandTimeoutMs: ms,
      heartbeatMs: ms,
      pongTimeoutMs: ms,
      gapMs: ms,
      publishTimeoutMs: ms,
    });
    server.onCommand = () => 'lost';
    const published = outcomeOf(client.publish('a', 1));
    const asked = outcomeOf(client.whoami());
    await clock.advance(86_400_000);
    expect([published, asked, states.length]).toEqual([{}, {}, 1]);
    expect(server.commandsOf('ping')).toEqual([]);
  });

  it('that is cancelled is forgotten', () => {
    const cleared: unknown[] = [];
    const clock = new Clock();
    const timers = new Timers({ ...clock, clearTimeout: (timer) => void cleared.push(timer) });
    timers.after(1000, () => {})();
    timers.clear();
    expect(cleared).toHaveLength(1);
  });

  it('longer than a platform counts ends when it should, or is cancelled', async () => {
    const clock = new Clock();
    let longestMs = 0;
    const setTimeout = (run: () => void, ms: number) => {
      longestMs = Math.max(longestMs, ms);
      return clock.setTimeout(run, ms);
    };
    const timers = new Timers({ setTimeout, clearTimeout: clock.clearTimeout });
    let runs = 0;
    timers.after(3 * MONTH_MS, () => runs++);
    const cancel = timers.after(3 * MONTH_MS, () => runs++);
    await clock.advance(3 * MONTH_MS - 1);
    expect([runs, longestMs]).toEqual([0, 2 ** 31 - 1]);
    cancel();
    await clock.advance(1);
    expect([runs, clock.waiting]).toEqual([1, 0]);
    timers.after(3 * MONTH_MS, () => runs++);
    await clock.advance(2 * MONTH_MS);
    timers.clear();
    expect(clock.waiting).toBe(0);
  });
});

describe('any argument', () => {
  const BAD_TOPICS = [
    undefined,
    null,
    7,
    '',
    'a b',
    'a//b',
    '*',
    'a/*/b',
    'a/b/c/d/e/f',
    'x'.repeat(129),
    {},
  ];
  const BAD_OPTIONS = [null, 7, 'x', [], { unknown: 1 }, new Map(), new Date(0), Object.create({ limit: 1 })];

  it('of any method is refused if it throws when it is read', async () => {
    const { client } = await connected();
    const options = Object.defineProperty({}, 'maxAge', { get: fails, enumerable: true });
    expect(() => client.subscribe('log/a', options)).toThrow(/^expected options .*, got an error$/);
    await expect(client.publish('log/a', 1, options)).rejects.toMatchObject({ code: 'bad_request' });
    await expect(client.send({ userId: 'a' }, 1, options)).rejects.toMatchObject({ code: 'bad_request' });
    await expect(client.history('log/a', options)).rejects.toMatchObject({ code: 'bad_request' });
    const position = Object.defineProperty({}, 'epoch', { get: fails, enumerable: true });
    expect(() => client.subscribe('log/a', { position } as never)).toThrow(
      /^expected position .*, got an error$/,
    );
  });

  it.each<unknown[]>([
    ...BAD_TOPICS.map((topic) => [topic, {}]),
    ...BAD_OPTIONS.map((options) => ['log/a', options]),
    ...[0, 301, 1.5, '10', null, {}, { seconds: 0 }, { seconds: 1, minutes: 1 }].map((rewind) => [
      'log/a',
      { rewind },
    ]),
    ...[7, 'x', null, {}, { epoch: 'e' }, { epoch: 'e', offset: -1 }, { epoch: '', offset: 1 }].map(
      (position) => ['log/a', { position }],
    ),
    ['log/a', { rewind: 1, position: { epoch: 'e', offset: 1 } }],
    ['log/a', { onMessage: 7 }],
    ['log/a', { onRecovery: {} }],
  ])('of subscribe is refused if it is wrong: %j %j', async (topic, options) => {
    const { client, server, clock } = await connected();
    expect(() => client.subscribe(topic as never, options as never)).toThrow(/^expected .*, got /);
    await clock.advance(50);
    expect(server.commands).toEqual([]);
  });

  it.each<unknown[]>([
    ...[...BAD_TOPICS, 'log/*'].map((topic) => [topic, 1, {}]),
    ...BAD_OPTIONS.map((options) => ['log/a', 1, options]),
    ...[undefined, () => 1, Symbol('x'), 1n, NaN, Infinity, -Infinity, new Date(NaN)].map((data) => [
      'log/a',
      data,
      {},
    ]),
    ...[{ toJSON: fails }, { toJSON: () => undefined }, { a: [{ toJSON: fails }] }].map((data) => [
      'log/a',
      data,
      {},
    ]),
    ...['', 7, 'x'.repeat(129), null].map((key) => ['log/a', 1, { key }]),
    ...[0, -1, NaN, '5', 86_401, null].map((maxAge) => ['log/a', 1, { maxAge }]),
    ...['other', [], [7], Array(11).fill('c'), null, {}].map((except) => ['log/a', 1, { except }]),
    ...[0, 1.5, '1', null].map((version) => ['log/a', 1, { version }]),
    ['log/a', 1, { stored: 'yes' }],
  ])('of publish is refused if it is wrong: %s, case %#', async (topic, data, options) => {
    const { client, server, clock } = await connected();
    const published = outcomeOf(client.publish(topic as never, data, options as never));
    await clock.advance(50);
    expect(published.error).toMatchObject({
      code: 'bad_request',
      message: expect.stringMatching(/^expected .*, got /),
    });
    expect(server.commands).toEqual([]);
  });

  it.each<unknown[]>([
    ...[undefined, null, 'a', {}, { userId: 7 }, { userId: '' }, { userId: 'a', connectionId: 'b' }].map(
      (to) => [to, 1, {}],
    ),
    [{ userId: 'a' }, undefined, {}],
    [{ userId: 'a' }, NaN, {}],
    [Object.defineProperty({}, 'userId', { get: fails, enumerable: true }), 1, {}],
    [{ userId: 'a' }, 1, { key: 'k' }],
    [{ userId: 'a' }, 1, { maxAge: 0 }],
  ])('of send is refused if it is wrong: case %#', async (to, data, options) => {
    const { client, server, clock } = await connected();
    const sent = outcomeOf(client.send(to as never, data, options as never));
    await clock.advance(50);
    expect(sent.error).toMatchObject({
      code: 'bad_request',
      message: expect.stringMatching(/^expected .*, got /),
    });
    expect(server.commands).toEqual([]);
  });

  it.each<unknown[]>([
    ...[...BAD_TOPICS, 'log/*'].map((topic) => [topic, {}]),
    ...BAD_OPTIONS.map((options) => ['log/a', options]),
    ...[{ limit: 0 }, { limit: 101 }, { limit: '5' }, { reverse: 1 }, { before: 0, reverse: true }].map(
      (it) => ['log/a', it],
    ),
    ['log/a', { before: 5 }],
    ['log/a', { reverse: true, after: { epoch: 'e', offset: 1 } }],
  ])('of history is refused if it is wrong: %j %j', async (topic, options) => {
    const { client, server, clock } = await connected();
    const page = outcomeOf(client.history(topic as never, options as never));
    await clock.advance(50);
    expect(page.error).toMatchObject({
      code: 'bad_request',
      message: expect.stringMatching(/^expected .*, got /),
    });
    expect(server.commands).toEqual([]);
  });

  it('of on is refused if it is wrong', async () => {
    const { client } = await connected();
    expect(() => client.on('message', undefined as never)).toThrow(
      'expected a handler to be a function, got nothing',
    );
    expect(() => client.on('open' as never, () => {})).toThrow(
      'expected an event of state, message, error, got "open"',
    );
  });
});
