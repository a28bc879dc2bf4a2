import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RequestError } from '../../infra/local/http/engine.ts';
import type { Invocation } from '../../infra/local/lambda/invoke.ts';
import { type Mapping, type MappingSettings, startMapping } from '../../infra/local/lambda/mapping.ts';
import { Queues } from '../../infra/local/sqs/queues.ts';
import { ManualClock } from '../support/manual-clock.ts';

const JOBS = 'arn:aws:sqs:eu-west-1:000000000000:jobs';
const DEAD = 'arn:aws:sqs:eu-west-1:000000000000:dead';
const WORKER = 'arn:aws:lambda:eu-west-1:000000000000:function:worker';

interface TakenRecord {
  readonly messageId: string;
  readonly body: string;
}
interface Call {
  readonly functionArn: string;
  readonly records: readonly TakenRecord[];
  end(invocation: Invocation): void;
}

const succeed = (payload: unknown = null): Invocation => ({ ok: true, payload });
const FAILED: Invocation = { ok: false, reason: 'threw', errorType: 'Error', errorMessage: 'no' };

/** A function whose invocations end when the test says so, or at once when the test is over. */
class Worker {
  readonly calls: Call[] = [];
  running = 0;
  mostRunning = 0;
  readonly #called = new EventEmitter();
  #isOver = false;

  whenFree = (): Promise<void> => Promise.resolve();

  invoke = (functionArn: string, event: unknown): Promise<Invocation> => {
    const { promise, resolve } = Promise.withResolvers<Invocation>();
    const { Records: records } = event as { Records: TakenRecord[] }; // startMapping's event
    this.running++;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    const end = (invocation: Invocation): void => {
      this.running--;
      resolve(invocation);
    };
    this.calls.push({ functionArn, records, end });
    if (this.#isOver) end(succeed());
    this.#called.emit('call');
    return promise;
  };

  finish(): void {
    this.#isOver = true;
    for (const call of this.calls) call.end(succeed());
  }

  /** Waits for the call with this number. */
  async call(number: number): Promise<Call> {
    let call = this.calls[number - 1];
    for (; !call; call = this.calls[number - 1]) await once(this.#called, 'call');
    return call;
  }
}

let queues: Queues;
let clock: ManualClock;
let worker: Worker;
let mapping: Mapping | undefined;
let log: string[];

const url = (name: string): string => `http://127.0.0.1/000000000000/${name}`;

beforeEach(() => {
  queues = Queues.open({ region: 'eu-west-1' });
  queues.create({ name: 'jobs', arn: JOBS, url: url('jobs'), attributes: { VisibilityTimeout: 30 } });
  clock = new ManualClock();
  worker = new Worker();
  log = [];
});
afterEach(async () => {
  worker.finish();
  await mapping?.stop();
  mapping = undefined;
  await queues.close();
});

function start(
  settings: Partial<MappingSettings> = {},
  from: Pick<Queues, 'receive' | 'remove'> = queues,
): void {
  mapping = startMapping(
    {
      queueArn: JOBS,
      functionArn: WORKER,
      batchSize: 10,
      batchingWindowSeconds: 0,
      reportBatchItemFailures: true,
      ...settings,
    },
    {
      queues: from,
      invoke: worker.invoke,
      whenFree: worker.whenFree,
      clock,
      log: (line) => log.push(line),
    },
  );
}

const send = (count: number, body = (index: number) => String(index)): void => {
  for (let index = 0; index < count; index++) queues.send(JOBS, body(index));
};
const inFlight = (count: number): Promise<void> =>
  vi.waitFor(() => expect(queues.depth(JOBS).inFlight).toBe(count), { interval: 1 });
const bodiesOf = ({ records }: Call): string[] => records.map(({ body }) => body);

describe('an event source mapping', () => {
  it('gives the function records as Lambda does', async () => {
    const messageId = queues.send(JOBS, 'hello', {
      messageAttributes: {
        kind: { DataType: 'String', StringValue: 'greeting' },
        raw: { DataType: 'Binary', BinaryValue: 'AAEC' },
      },
    });
    start();
    const { functionArn, records } = await worker.call(1);
    expect(functionArn).toBe(WORKER);
    expect(records).toEqual([
      {
        messageId,
        receiptHandle: expect.any(String),
        body: 'hello',
        attributes: {
          ApproximateReceiveCount: '1',
          SentTimestamp: expect.stringMatching(/^\d{13}$/),
          SenderId: expect.any(String),
          ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
        },
        messageAttributes: {
          kind: { stringValue: 'greeting', stringListValues: [], binaryListValues: [], dataType: 'String' },
          raw: { binaryValue: 'AAEC', stringListValues: [], binaryListValues: [], dataType: 'Binary' },
        },
        md5OfBody: '5d41402abc4b2a76b9719d911017c592',
        md5OfMessageAttributes: expect.stringMatching(/^[0-9a-f]{32}$/),
        eventSource: 'aws:sqs',
        eventSourceARN: JOBS,
        awsRegion: 'eu-west-1',
      },
    ]);
  });

  it('leaves out what a plain message has not', async () => {
    send(1);
    start();
    const { records } = await worker.call(1);
    expect(Object.keys(records[0] ?? {})).toEqual([
      'messageId',
      'receiptHandle',
      'body',
      'attributes',
      'messageAttributes',
      'md5OfBody',
      'eventSource',
      'eventSourceARN',
      'awsRegion',
    ]);
  });

  it('puts what is already waiting into one batch', async () => {
    send(3);
    start();
    expect(bodiesOf(await worker.call(1))).toEqual(['0', '1', '2']);
  });

  it('does not wait for what might come', async () => {
    start();
    for (const number of [1, 2, 3]) {
      send(1);
      expect((await worker.call(number)).records).toHaveLength(1);
    }
    expect(worker.running).toBe(3);
  });

  it('makes one batch of what comes while no environment is free', async () => {
    const busy = Promise.withResolvers<void>();
    worker.whenFree = () => busy.promise;
    start();
    for (const body of ['a', 'b', 'c']) {
      queues.send(JOBS, body);
      await new Promise(setImmediate);
    }
    expect(worker.calls).toEqual([]);
    busy.resolve();
    expect(bodiesOf(await worker.call(1))).toEqual(['a', 'b', 'c']);
  });

  it('makes batches larger than one ReceiveMessage', async () => {
    send(30);
    start({ batchSize: 25 });
    expect((await worker.call(1)).records).toHaveLength(25);
    expect((await worker.call(2)).records).toHaveLength(5);
  });

  it('keeps a payload within the 6 MB of an invocation', async () => {
    send(7, () => 'x'.repeat(1_000_000));
    start();
    expect((await worker.call(1)).records).toHaveLength(6);
    expect((await worker.call(2)).records).toHaveLength(1);
  });

  it('waits for a full batch until its window closes', async () => {
    send(1);
    start({ batchingWindowSeconds: 5 });
    await inFlight(1);
    send(2);
    await inFlight(3);
    clock.advance(4_999);
    expect(worker.calls).toEqual([]);
    clock.advance(1);
    expect((await worker.call(1)).records).toHaveLength(3);
  });

  it('does not wait for the window to close when the batch is full', async () => {
    start({ batchingWindowSeconds: 5, batchSize: 2 });
    send(2);
    expect((await worker.call(1)).records).toHaveLength(2);
  });
});

describe('concurrency', () => {
  it.each([
    [2, 2],
    [undefined, 5],
    [50, 5],
  ])(
    'with a maximum of %s a backlog has %i invocations at once and never more',
    async (maximum, expected) => {
      send(100);
      start({ batchSize: 5, ...(maximum && { maximumConcurrency: maximum }) });
      for (let number = 1; number <= 20; number++) {
        const call = await worker.call(number);
        if (number >= expected) worker.calls[number - expected]?.end(succeed());
        expect(call.records).toHaveLength(5);
      }
      expect(worker.mostRunning).toBe(expected);
    },
  );

  it('leaves messages visible that nobody is free to handle', async () => {
    send(4);
    start({ batchSize: 1, maximumConcurrency: 2 });
    await worker.call(2);
    expect(queues.depth(JOBS)).toEqual({ visible: 2, inFlight: 2, delayed: 0 });
  });
});

describe('the end of an invocation', () => {
  /** What stays in flight of a batch of three. */
  async function leftAfter(invocation: (ids: string[]) => Invocation, report = true): Promise<number> {
    send(3);
    start({ reportBatchItemFailures: report });
    const call = await worker.call(1);
    const stopping = mapping?.stop();
    call.end(invocation(call.records.map(({ messageId }) => messageId)));
    await stopping;
    expect(queues.depth(JOBS).visible).toBe(0);
    return queues.depth(JOBS).inFlight;
  }
  const failures = (...identifiers: unknown[]): Invocation =>
    succeed({ batchItemFailures: identifiers.map((itemIdentifier) => ({ itemIdentifier })) });

  it('removes all messages of a success', async () => {
    expect(await leftAfter(() => succeed())).toBe(0);
  });

  it('keeps all messages of a failure in flight', async () => {
    expect(await leftAfter(() => FAILED)).toBe(3);
  });

  it('keeps the reported messages in flight, and only those', async () => {
    expect(await leftAfter(([first]) => failures(first))).toBe(1);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['an empty object', {}],
    ['an empty array', []],
    ['no failures', { batchItemFailures: [] }],
    ['null for failures', { batchItemFailures: null }],
  ])('takes %s for a complete success', async (_, payload) => {
    expect(await leftAfter(() => ({ ok: true, payload }))).toBe(0);
  });

  it.each<[string, (ids: string[]) => Invocation]>([
    ['an unknown id', ([first]) => failures(first, 'nobody')],
    ['an empty id', ([first]) => failures(first, '')],
    ['null for an id', () => failures(null)],
    ['a wrong key', ([first]) => succeed({ batchItemFailures: [{ itemIdentifer: first }] })],
    ['null for an item', () => succeed({ batchItemFailures: [null] })],
    ['an id without its object', ([first]) => succeed({ batchItemFailures: [first] })],
    ['no list', () => succeed({ batchItemFailures: 'all' })],
    ['text that is no object', () => succeed('{"batchItemFailures": []')],
  ])('takes %s for a complete failure', async (_, invocation) => {
    expect(await leftAfter(invocation)).toBe(3);
  });

  it('does not look at the answer when the mapping does not report failures', async () => {
    expect(await leftAfter(([first]) => failures(first), false)).toBe(0);
  });

  it('brings a failed message back after its visibility timeout, and in the end to the dead-letter queue', async () => {
    queues.create({ name: 'dead', arn: DEAD, url: url('dead'), attributes: {} });
    const RedrivePolicy = { deadLetterTargetArn: DEAD, maxReceiveCount: 2 };
    queues.create({
      name: 'jobs',
      arn: JOBS,
      url: url('jobs'),
      attributes: { VisibilityTimeout: 1, RedrivePolicy },
    });
    queues.send(JOBS, 'poison');
    start();
    (await worker.call(1)).end(FAILED);
    const second = await worker.call(2);
    expect(second.records).toMatchObject([{ body: 'poison', attributes: { ApproximateReceiveCount: '2' } }]);
    second.end(FAILED);
    const [dead] = await queues.receive(DEAD, 1, new AbortController().signal);
    expect(dead?.body).toBe('poison');
    expect(worker.calls).toHaveLength(2);
  });
});

describe('stopping', () => {
  it('waits for what is running and takes no more', async () => {
    send(1);
    start();
    const call = await worker.call(1);
    let isStopped = false;
    const stopping = mapping?.stop().then(() => {
      isStopped = true;
    });
    send(1);
    await new Promise(setImmediate);
    expect(isStopped).toBe(false);
    call.end(succeed());
    await stopping;
    expect(worker.calls).toHaveLength(1);
    expect(queues.depth(JOBS)).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
  });

  it('hands over what was gathered in an open window', async () => {
    send(1);
    start({ batchingWindowSeconds: 300 });
    await inFlight(1);
    await new Promise(setImmediate);
    const stopping = mapping?.stop();
    (await worker.call(1)).end(succeed());
    await stopping;
    expect(queues.depth(JOBS)).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });
});

describe('a queue that fails for a while', () => {
  const UNAVAILABLE = new RequestError('com.amazonaws.sqs#ServiceUnavailable', 'full', 503);
  /** The queues, except that these calls fail, in turn. */
  function failing(receives: unknown[], removes: unknown[] = []): Pick<Queues, 'receive' | 'remove'> {
    return {
      receive: async (...call) => {
        if (receives.length > 0) throw receives.shift();
        return queues.receive(...call);
      },
      remove: (...call) => {
        if (removes.length > 0) throw removes.shift();
        queues.remove(...call);
      },
    };
  }
  const untilWaiting = () => vi.waitFor(() => expect(clock.waiting).toBe(1), { interval: 1 });

  it('is asked again every second, and its messages come', async () => {
    send(1);
    start({}, failing([UNAVAILABLE, UNAVAILABLE]));
    await untilWaiting();
    clock.advance(1_000);
    await untilWaiting();
    clock.advance(1_000);
    expect(bodiesOf(await worker.call(1))).toEqual(['0']);
    expect(log).toEqual([]); // the queues say it themselves
  });

  it('has what was handled removed in the end', async () => {
    send(1);
    start({}, failing([], [UNAVAILABLE]));
    (await worker.call(1)).end(succeed());
    await untilWaiting();
    await inFlight(1);
    clock.advance(1_000);
    await inFlight(0);
    expect(queues.depth(JOBS)).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  it('says once what nobody else says', async () => {
    send(1);
    start({}, failing([new TypeError('a bug'), new TypeError('a bug')]));
    await untilWaiting();
    clock.advance(1_000);
    await untilWaiting();
    clock.advance(1_000);
    await worker.call(1);
    expect(log).toEqual([`nothing can be taken from ${JOBS}: TypeError: a bug`]);
  });

  it('is no reason not to stop', async () => {
    start({}, failing([UNAVAILABLE]));
    await untilWaiting();
    await mapping?.stop();
    expect(clock.waiting).toBe(0);
  });
});
