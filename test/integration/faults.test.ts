import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { OPEN_APP } from '../support/apps.ts';
import { synthesiseAll } from '../support/assemblies.ts';
import { BackEnd } from '../support/back-end.ts';
import { Client } from '../support/client.ts';
import { type Fault, Faults, NO_FAULTS } from '../support/faults.ts';
import { bootLocal, type LocalOptions, variablesOf } from '../support/local.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

const IMPATIENT = 'test/apps/impatient.ts';
beforeAll(() => synthesiseAll(OPEN_APP, IMPATIENT));

async function boot(options: LocalOptions = {}) {
  const { ready, stop } = await bootLocal({ faults: NO_FAULTS, ...options });
  const faults = new Faults(ready);
  const open = async (topic?: string) => {
    const client = await Client.open(ready.websocketUrl);
    if (topic !== undefined) await client.subscribe(topic);
    return client;
  };
  return {
    ready,
    stop,
    faults,
    backEnd: new BackEnd(ready),
    open,
    /** From now on these, and no others. */
    suffer: (...list: Fault[]) => faults.set({ seed: 7, faults: list }),
    /** How often the one fault has struck. */
    struck: async (times: number) => until(async () => (await faults.strikes())[0] === times),
  };
}

type Start = (options?: LocalOptions) => ReturnType<typeof boot>;

/** Each test has systems of its own, and most of its time it waits: so they run side by side. */
const it = test.extend<{ start: Start }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads what a fixture needs from its pattern
  start: async ({}, use) => {
    const running: (() => Promise<void>)[] = [];
    await use(async (options) => {
      const system = await boot(options);
      running.push(system.stop);
      return system;
    });
    for (const stop of running) await stop();
  },
});

/** Publishes all of it with one request: the events reach the queue together. */
const publish = (backEnd: BackEnd, topic: string, ...data: unknown[]) =>
  backEnd.publish(...data.map((each) => ({ topic, data: each })));

const ascending = (a: unknown, b: unknown): number => Number(a) - Number(b);
const dataOf = ({ messages }: Client): unknown[] => messages.map(({ data }) => data);

const queuesAreEmpty = (backEnd: BackEnd) =>
  until(async () => Object.values(await backEnd.depths()).every((depth) => depth === 0));

// Posts of the impatient app do not wait long: nothing else may hold them up.
describe('a post', () => {
  const post = { on: '@connections', method: 'POST', times: 1 } as const;

  it.for<[string, Fault]>([
    ['fails with 500', { ...post, effect: 'answer', status: 500 }],
    ['is refused with 403', { ...post, effect: 'answer', status: 403 }],
    ['hangs past its deadline', { ...post, effect: 'hang' }],
  ])('that %s is made again, and the message arrives once', async ([, fault], { start }) => {
    const { backEnd, faults, open, suffer } = await start({ app: IMPATIENT });
    const client = await open('news');
    await suffer(fault);
    await publish(backEnd, 'news', 'hello');
    await client.message('hello');
    await queuesAreEmpty(backEnd);
    expect(client.messages).toHaveLength(1);
    expect(await faults.strikes()).toEqual([1]);
  });

  it('that is dropped looks like one that arrived: nobody is told, nothing is tried again', async ({
    start,
  }) => {
    const { backEnd, open, suffer, struck } = await start();
    const client = await open('news');
    await suffer({ ...post, effect: 'drop' });
    await publish(backEnd, 'news', 'lost');
    await struck(1);
    await queuesAreEmpty(backEnd);
    await publish(backEnd, 'news', 'next');
    await client.message('next');
    expect(dataOf(client)).toEqual(['next']);
  });

  it('that is late holds up no other connection', async ({ start }) => {
    const { backEnd, open, suffer } = await start();
    const [slow, other] = [await open('news'), await open('news')];
    const { connectionId } = await slow.ask({ action: 'whoami' });
    await suffer({ ...post, effect: 'delay', delayMs: 500, connectionId });
    await publish(backEnd, 'news', 'hello');
    await other.message('hello');
    expect(slow.messages).toEqual([]);
    await slow.message('hello');
  });
});

describe.concurrent('a record', () => {
  it('that is handed out twice makes the message arrive twice, with one id', async ({ start }) => {
    const { backEnd, faults, open, suffer } = await start();
    const client = await open('news');
    await suffer({ on: 'queue', queue: 'ingest', effect: 'duplicate', times: 1 });
    const [id] = await publish(backEnd, 'news', 'hello');
    await until(() => client.messages.length === 2);
    await queuesAreEmpty(backEnd);
    expect(client.messages.map(({ messageId }) => messageId)).toEqual([id, id]);
    expect(await faults.strikes()).toEqual([1]);
  });

  it('that is held up is overtaken', async ({ start }) => {
    const { backEnd, open, suffer } = await start();
    const client = await open('news');
    await publish(backEnd, 'news', 'first'); // its worker has started now
    await client.message('first');
    await suffer({ on: 'queue', queue: 'ingest', effect: 'delay', delayMs: 1_000, times: 1 });
    await publish(backEnd, 'news', 'late', 'in time');
    await client.message('late');
    expect(dataOf(client)).toEqual(['first', 'in time', 'late']);
  });

  it('of a queue that is not named comes as always', async ({ start }) => {
    const { backEnd, faults, open, suffer } = await start();
    const client = await open('news');
    await suffer({ on: 'queue', queue: 'delivery', effect: 'duplicate' });
    await publish(backEnd, 'news', 'hello');
    await client.message('hello');
    await queuesAreEmpty(backEnd);
    expect(client.messages).toHaveLength(1);
    expect(await faults.strikes()).toEqual([0]);
  });

  it('comes in another order, and in the same again with the same seed', async ({ start }) => {
    const { backEnd, faults, open } = await start();
    const numbers = Array.from({ length: 10 }, (_, index) => index);
    const orderWith = async (seed: number, topic: string) => {
      await faults.set({ seed, faults: [{ on: 'queue', queue: 'ingest', effect: 'reorder', rate: 0.7 }] });
      const client = await open(topic);
      await publish(backEnd, topic, ...numbers);
      await until(() => client.messages.length === numbers.length);
      return dataOf(client);
    };
    const first = await orderWith(7, 'a');
    expect(first).not.toEqual(numbers);
    expect(first.toSorted()).toEqual(numbers);
    expect(await orderWith(7, 'b')).toEqual(first);
    expect(await orderWith(8, 'c')).not.toEqual(first);
  });
});

describe.concurrent('an event', () => {
  it('that a target gets twice makes the message arrive twice, with one id', async ({ start }) => {
    const { backEnd, faults, open, suffer } = await start();
    const client = await open('news');
    await suffer({ on: 'bus', effect: 'duplicate', detailType: 'fanwire.publish', times: 1 });
    const [id] = await publish(backEnd, 'news', 'hello');
    await until(() => client.messages.length === 2);
    expect(client.messages.map(({ messageId }) => messageId)).toEqual([id, id]);
    expect(await faults.strikes()).toEqual([1]);
  });

  it('that is held up is overtaken', async ({ start }) => {
    const { backEnd, open, suffer } = await start();
    const client = await open('news');
    await publish(backEnd, 'news', 'first'); // its worker has started now
    await client.message('first');
    await suffer({ on: 'bus', bus: 'fanwire', effect: 'delay', delayMs: [1_000, 1_200], times: 1 });
    await publish(backEnd, 'news', 'late', 'in time');
    await client.message('late');
    expect(dataOf(client)).toEqual(['first', 'in time', 'late']);
  });

  it('that is held up survives a stop: it was acknowledged', async ({ start, onTestFinished }) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'fanwire-faults-'));
    onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
    const first = await start({ dataDir });
    await first.suffer({ on: 'bus', effect: 'delay', delayMs: 3_500 });
    await publish(first.backEnd, 'news', 'late');
    await first.stop();
    const { open } = await start({ dataDir });
    const client = await open('news');
    await client.message('late');
  });
});

/** What each of a client's topics brings is told apart by its number. */
const NUMBERS = Array.from({ length: 20 }, (_, index) => index);

describe.concurrent('what is refused in part', () => {
  it('by the bus is put again: whatever was acknowledged arrives, and once', async ({ start }) => {
    const { backEnd, faults, open, suffer } = await start();
    const client = await open('news/*');
    await suffer({ on: 'bus', effect: 'refuse', rate: 0.5 });
    const replies = await Promise.all(
      NUMBERS.map((n) => {
        // Of different topics, so that each is an entry of its own.
        const messages = ['a', 'b', 'c'].map((topic) => ({ topic: `news/${topic}`, data: `${topic}${n}` }));
        return client.ask({ action: 'publish', messages });
      }),
    );
    const ids = replies.flatMap(({ messageIds }) => messageIds as string[]);
    expect(ids).toHaveLength(3 * NUMBERS.length);
    await until(() => client.messages.length >= ids.length);
    await queuesAreEmpty(backEnd);
    expect(client.messages.map(({ messageId }) => messageId).toSorted()).toEqual(ids.toSorted());
    expect((await faults.strikes())[0]).toBeGreaterThan(NUMBERS.length);
  });

  it('by a queue is sent again: every job is done, and once', async ({ start }) => {
    const edit: LocalOptions['edit'] = (resources) => {
      variablesOf(resources, 'Fanout').INLINE_MAX = '1';
    };
    const { backEnd, faults, open, suffer } = await start({ edit });
    const clients = await Promise.all([open('news'), open('news')]);
    await suffer({
      ...{ on: 'queue', queue: 'delivery', operation: 'SendMessageBatch' },
      ...{ effect: 'refuse', rate: 0.5 },
    });
    for (const n of NUMBERS) await publish(backEnd, 'news', n);
    await until(() => clients.every(({ messages }) => messages.length >= NUMBERS.length));
    await queuesAreEmpty(backEnd);
    for (const client of clients) expect(dataOf(client).toSorted(ascending)).toEqual(NUMBERS);
    expect((await faults.strikes())[0]).toBeGreaterThan(0);
  });
});

describe.concurrent('a record that failed', () => {
  it('comes again soon after its table takes requests again', async ({ start }) => {
    const { backEnd, faults, open, suffer } = await start();
    const [client, other] = [await open('news'), await open('others')];
    // The SDK makes four attempts of a call, so that of five strikes the last is at the second time of the record.
    await suffer({ on: 'table', table: 'subscriptions', operation: 'Query', effect: 'throttle', times: 5 });
    await publish(backEnd, 'news', 'hello');
    await client.message('hello');
    expect(await faults.strikes()).toEqual([5]);
    await publish(backEnd, 'others', 'later');
    await other.message('later');
    await queuesAreEmpty(backEnd);
    expect(client.messages).toHaveLength(1);
  });
});

describe.concurrent('a table', () => {
  it.for(['ProvisionedThroughputExceededException', 'ThrottlingException'] as const)(
    'that is too busy says %s, and a subscribe succeeds when it is so no more',
    async (error, { start }) => {
      const { faults, open, suffer } = await start();
      const client = await open();
      await suffer({
        ...{ on: 'table', table: 'subscriptions', operation: 'PutItem' },
        ...{ effect: 'throttle', error, times: 2 },
      });
      await client.subscribe('news');
      expect(await faults.strikes()).toEqual([2]);
    },
  );

  it('that is too busy for some items of a batch gets them again', async ({ start }) => {
    const { backEnd, faults, open, suffer } = await start();
    const client = await open();
    for (const topic of ['a', 'b', 'c', 'd']) await client.subscribe(topic);
    await suffer(
      { on: 'table', table: 'subscriptions', operation: 'BatchWriteItem', effect: 'throttle', times: 3 },
      { on: 'table', table: 'topics', operation: 'BatchGetItem', effect: 'throttle', times: 1 },
    );
    await client.close();
    await until(async () => (await backEnd.connectionsWithRows()).size === 0);
    const other = await open('a/*');
    await publish(backEnd, 'a/b/c', 'hello');
    await other.message('hello');
    expect(await faults.strikes()).toEqual([3, 1]);
  });

  it('that is slow delays what needs it, and nothing else', async ({ start }) => {
    const { open, suffer } = await start();
    const client = await open();
    const commands = [{ action: 'whoami' }, { action: 'publish', topic: 'news', data: 1 }];
    for (const command of commands) await client.ask(command); // their functions have started
    await suffer({
      on: 'table',
      table: 'connections',
      operation: 'GetItem',
      effect: 'delay',
      delayMs: 1_000,
    });
    const replies: string[] = [];
    await Promise.all(commands.map(async (command) => replies.push((await client.ask(command)).action)));
    expect(replies).toEqual(['publish', 'whoami']);
  });
});

describe.concurrent('a worker', () => {
  /** Queues soon hand out again what a worker died of; on a busy machine one that lives takes a second or two. */
  const forget: LocalOptions['edit'] = (resources) => {
    for (const { Type, Properties } of Object.values(resources)) {
      if (Type === 'AWS::SQS::Queue' && Properties.RedrivePolicy) Properties.VisibilityTimeout = 5;
    }
  };

  it.for([
    ['before', 1],
    ['after', 2],
  ] as const)(
    'killed %s its second post leaves the record, and every subscriber gets the message',
    async ([when, posted], { start }) => {
      const { backEnd, faults, open, suffer, struck } = await start({ edit: forget });
      const clients = await Promise.all([open('news'), open('news'), open('news')]);
      const count = () => clients.map(({ messages }) => messages.length);
      const total = () => count().reduce((sum, each) => sum + each);
      await suffer({
        on: 'function',
        function: 'fanout',
        effect: 'kill',
        operation: 'PostToConnection',
        call: 2,
        when,
      });
      await publish(backEnd, 'news', 'hello');
      await struck(1);
      await faults.clear();
      await Promise.all(clients.map((client) => client.message('hello')));
      await queuesAreEmpty(backEnd);
      await until(() => total() === posted + clients.length);
      expect(Math.min(...count())).toBe(1);
    },
  );

  it('killed at its first call has done nothing, and another does it all', async ({ start }) => {
    const { backEnd, faults, open, suffer } = await start({ edit: forget });
    const client = await open('news');
    await suffer({ on: 'function', function: 'fanout', effect: 'kill', call: 1, when: 'before', times: 1 });
    await publish(backEnd, 'news', 'hello');
    await client.message('hello');
    await queuesAreEmpty(backEnd);
    expect(client.messages).toHaveLength(1);
    expect(await faults.strikes()).toEqual([1]);
  });
});

describe.concurrent('a function', () => {
  it('that crashes at its start fails one command and not the next', async ({ start }) => {
    const { open, suffer } = await start();
    const client = await open();
    await suffer({ on: 'function', function: 'ping', effect: 'crash', times: 1 });
    client.send({ action: 'ping' });
    await client.wait(({ message }) => message === 'Internal server error');
    expect(await client.ask({ action: 'ping' })).toMatchObject({ type: 'ack' });
  });

  it('that starts slowly answers when it has started', async ({ start }) => {
    const clock = new ManualClock(Date.now());
    const { open, suffer, struck } = await start({ clock });
    const client = await open();
    await suffer({ on: 'function', function: 'ping', effect: 'delay', delayMs: 5_000 });
    const pong = client.ask({ action: 'ping' });
    await struck(1);
    await client.ask({ action: 'whoami' });
    expect(client.frames.map(({ action }) => action)).toEqual(['whoami']);
    clock.advance(5_000);
    expect(await pong).toMatchObject({ type: 'ack', action: 'ping' });
  });
});

describe.concurrent('a $disconnect', () => {
  const withClock = async (start: Start, fault: Fault, options: LocalOptions = {}) => {
    const clock = new ManualClock(Date.now());
    const system = await start({ clock, ...options });
    const client = await system.open('news');
    await system.suffer(fault);
    await client.close();
    await system.struck(1);
    const rows = async () => (await system.backEnd.connectionsWithRows()).size;
    expect(await rows()).toBe(1);
    return { ...system, clock, rows };
  };

  it('that is lost leaves rows until a post finds the connection gone', async ({ start }) => {
    const { backEnd, rows } = await withClock(start, { on: 'disconnect', effect: 'lose' });
    await publish(backEnd, 'news', 'hello');
    await until(async () => (await rows()) === 0);
  });

  it('that is lost leaves rows until the sweep', async ({ start }) => {
    const { clock, rows } = await withClock(start, { on: 'disconnect', effect: 'lose' }, { schedules: true });
    clock.advance(60_000);
    await until(async () => (await rows()) === 0);
  });

  it('that is late cleans up late', async ({ start }) => {
    const { clock, rows } = await withClock(start, { on: 'disconnect', effect: 'delay', delayMs: 5_000 });
    clock.advance(5_000);
    await until(async () => (await rows()) === 0);
  });

  it('that is late does not hold up a stop', async ({ start }) => {
    const { stop } = await withClock(start, { on: 'disconnect', effect: 'delay', delayMs: 600_000 });
    await stop();
  });
});

describe.concurrent('the control', () => {
  const url = ({ endpoint }: { endpoint: string }) => `${endpoint}/_fanwire/faults`;
  const duplicate: Fault = { on: 'queue', effect: 'duplicate' };

  it('is not there unless it was asked for', async ({ onTestFinished }) => {
    const { ready, stop } = await bootLocal();
    onTestFinished(stop);
    for (const method of ['GET', 'PUT', 'DELETE']) {
      expect((await fetch(url(ready), { method })).status).toBe(404);
    }
  });

  it('is there with npm start -- --faults, and prints the seed', async ({ onTestFinished }) => {
    const { ready, output, stop } = await startSystem({ faults: true });
    onTestFinished(stop);
    const client = await Client.open(ready.websocketUrl);
    const faults = new Faults(ready);
    await faults.set({ seed: 42, faults: [{ on: 'function', function: 'ping', effect: 'crash', times: 1 }] });
    client.send({ action: 'ping' });
    await client.wait(({ message }) => message === 'Internal server error');
    expect(await faults.strikes()).toEqual([1]);
    expect(output()).toContain('in force: 1, seed 42');
  });

  it('says what is in force, with a seed of its own if it got none', async ({ start }) => {
    const { faults } = await start();
    const { seed } = await faults.set({ faults: [duplicate] });
    expect(Number.isInteger(seed)).toBe(true);
    expect(await faults.report()).toEqual({ seed, faults: [{ ...duplicate, strikes: 0 }] });
    await faults.clear();
    expect((await faults.report()).faults).toEqual([]);
  });

  it('refuses what it does not understand, says why, and leaves what is', async ({ start }) => {
    const { ready, faults, suffer } = await start();
    await suffer(duplicate);
    const put = async (body: string) => {
      const response = await fetch(url(ready), { method: 'PUT', body });
      return [response.status, ((await response.json()) as { message: string }).message];
    };
    expect(await put('{"faults":[{"on":"queue"}]}')).toEqual([
      400,
      'expected faults[0].effect to be one of refuse, duplicate, reorder, delay, got nothing',
    ]);
    expect(await put('nonsense')).toEqual([400, 'expected a JSON object as body']);
    expect((await fetch(url(ready), { method: 'POST' })).status).toBe(405);
    expect((await faults.report()).faults).toHaveLength(1);
  });

  it('refuses every web page, even one of its own', async ({ start }) => {
    const { ready, faults } = await start();
    for (const origin of ['https://example.com', ready.endpoint, 'null']) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const body = method === 'PUT' ? JSON.stringify({ faults: [duplicate] }) : null;
        const response = await fetch(url(ready), { method, headers: { origin }, body });
        expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([403, null]);
      }
    }
    expect((await faults.report()).faults).toEqual([]);
  });
});
