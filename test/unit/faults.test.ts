import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { ActiveFaults, of } from '../../infra/local/faults/active.ts';
import type { Fault } from '../../infra/local/faults/fault.ts';
import { Invocations } from '../../infra/local/faults/invocations.ts';
import { parseFaultSet } from '../../infra/local/faults/parse.ts';
import { createRandom } from '../../infra/local/faults/random.ts';
import { Names } from '../../infra/local/stack/names.ts';

const QUEUE = 'AWS::SQS::Queue';
const TABLE = 'AWS::DynamoDB::Table';
const FUNCTION = 'AWS::Lambda::Function';

const names = new Names([
  { type: QUEUE, physicalName: 'App-Ingest1', path: 'App/Push/Ingest/Resource' },
  { type: QUEUE, physicalName: 'App-IngestDeadLetters2', path: 'App/Push/IngestDeadLetters/Resource' },
  { type: TABLE, physicalName: 'App-Topics3', path: 'App/Push/Topics/Resource' },
  { type: 'AWS::Events::EventBus', physicalName: 'default' },
  { type: FUNCTION, physicalName: 'App-Fanout4', path: 'App/Push/Fanout/Function/Resource' },
  { type: FUNCTION, physicalName: 'App-Deliver5', path: 'App/Push/Deliver/Function/Resource' },
]);

const armed = (faults: readonly Fault[], seed = 7) => new ActiveFaults(faults, seed, names);
const strikesOf = (faults: ActiveFaults): number[] => faults.report().faults.map(({ strikes }) => strikes);

describe('the random generator', () => {
  const draw = (seed: number, count = 1000) => Array.from({ length: count }, createRandom(seed));

  it('gives the same numbers for the same seed, and others for another', () => {
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(new Set(draw(7)).size).toBe(1000);
  });

  it('gives what a seed has always given, so that a seed once reported stays good', () => {
    const known = [0.8936956545803696, 0.9803904530126601, 0.1866056271828711];
    expect(draw(7, 3)).toEqual(known);
  });

  it.each([0, 1, 7, 2 ** 32 - 1])('spreads evenly over [0, 1) from seed %i', (seed) => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (const value of draw(seed, 10_000))
      tenths[Math.floor(value * 10)] = 1 + (tenths[Math.floor(value * 10)] ?? 0);
    expect(tenths).toHaveLength(10);
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe('a fault', () => {
  const duplicate = of('queue', 'duplicate');

  it('strikes what it is for, and counts', () => {
    const faults = armed([
      { on: 'queue', effect: 'duplicate', queue: 'ingest' },
      { on: 'queue', effect: 'reorder' },
    ]);
    expect(faults.strike(duplicate, 'App-Ingest1')).toMatchObject({ effect: 'duplicate' });
    expect(faults.strike(duplicate, 'App-IngestDeadLetters2')).toBeUndefined();
    expect(faults.strike(of('queue', 'delay'), 'App-Ingest1')).toBeUndefined();
    expect(faults.strike(of('table', 'throttle'), 'App-Ingest1')).toBeUndefined();
    expect(faults.strike(of('queue', 'reorder'), 'App-IngestDeadLetters2')).toBeDefined();
    expect(strikesOf(faults)).toEqual([1, 1]);
  });

  it('that has struck often enough leaves it to the next', () => {
    const faults = armed([
      { on: 'queue', effect: 'duplicate', times: 2 },
      { on: 'queue', effect: 'delay', delayMs: 5 },
    ]);
    const struck = Array.from({ length: 4 }, () =>
      faults.strike(of('queue', 'duplicate', 'delay'), 'App-Ingest1'),
    );
    expect(struck.map((fault) => fault?.effect)).toEqual(['duplicate', 'duplicate', 'delay', 'delay']);
    expect(strikesOf(faults)).toEqual([2, 2]);
  });

  it('strikes at its rate', () => {
    const faults = armed([{ on: 'queue', effect: 'duplicate', rate: 0.2 }]);
    for (let n = 0; n < 10_000; n++) faults.strike(duplicate, 'App-Ingest1');
    expect(Math.abs((strikesOf(faults)[0] ?? 0) - 2000)).toBeLessThan(200);
  });

  it('strikes the same for the same seed, and others for another', () => {
    const struck = (seed: number) => {
      const faults = armed([{ on: 'queue', effect: 'delay', rate: 0.5, delayMs: [100, 200] }], seed);
      return Array.from({ length: 100 }, () => {
        const fault = faults.strike(of('queue', 'delay'), 'App-Ingest1');
        return fault && faults.ms(fault.delayMs);
      });
    };
    expect(struck(7)).toEqual(struck(7));
    expect(struck(7)).not.toEqual(struck(8));
  });

  it('takes any of a range, its ends included', () => {
    const faults = armed([]);
    const drawn = new Set(Array.from({ length: 200 }, () => faults.ms([3, 6])));
    expect([...drawn].sort()).toEqual([3, 4, 5, 6]);
    expect(faults.ms(9)).toBe(9);
  });
});

describe('names', () => {
  it('are physical ones, or those of constructs, in any case', () => {
    expect(names.physicalNames(QUEUE, 'App-Ingest1')).toEqual(['App-Ingest1']);
    expect(names.physicalNames(QUEUE, 'ingest')).toEqual(['App-Ingest1']);
    expect(names.physicalNames(FUNCTION, 'Fanout')).toEqual(['App-Fanout4']);
    expect(names.physicalNames(FUNCTION, 'push')).toEqual(['App-Fanout4', 'App-Deliver5']);
  });

  it('are never parts of a name', () => {
    expect(names.physicalNames(QUEUE, 'Inges')).toEqual([]);
    expect(names.physicalNames(TABLE, 'ingest')).toEqual([]);
  });
});

describe('parsing', () => {
  const sound: Record<string, Fault> = {
    'a delayed call': {
      on: '@connections',
      effect: 'delay',
      delayMs: [0, 5],
      method: 'POST',
      rate: 0.5,
      times: 3,
    },
    'a hanging call': { on: '@connections', effect: 'hang', connectionId: 'L0SM9cOFvHcCIhw=' },
    'an answered call': { on: '@connections', effect: 'answer', status: 410, delayMs: 3 },
    'a dropped call': { on: '@connections', effect: 'drop' },
    'a lost $disconnect': { on: 'disconnect', effect: 'lose', connectionId: 'x' },
    'a late $disconnect': { on: 'disconnect', effect: 'delay', delayMs: 900_000 },
    'an entry that a queue refuses': {
      ...{ on: 'queue', effect: 'refuse', queue: 'ingest' },
      ...{ operation: 'SendMessageBatch', rate: 0.5 },
    },
    'a duplicate record': { on: 'queue', effect: 'duplicate', queue: 'ingest' },
    'records in another order': { on: 'queue', effect: 'reorder' },
    'a late record': { on: 'queue', effect: 'delay', delayMs: 1 },
    'an entry that a bus refuses': {
      ...{ on: 'bus', effect: 'refuse', bus: 'default', detailType: 'a' },
      ...{ error: 'InternalFailure', rate: 0.5 },
    },
    'a duplicate event': { on: 'bus', effect: 'duplicate', bus: 'default', detailType: 'a', delayMs: 1 },
    'a late event': { on: 'bus', effect: 'delay', delayMs: 1 },
    'a throttle': {
      ...{ on: 'table', effect: 'throttle', table: 'topics', operation: 'Query' },
      error: 'ThrottlingException',
    },
    'a slow table': { on: 'table', effect: 'delay', delayMs: 1 },
    'a killed environment': {
      ...{ on: 'function', effect: 'kill', function: 'fanout' },
      ...{ call: 3, operation: 'PostToConnection', when: 'before' },
    },
    'a crash': { on: 'function', effect: 'crash' },
    'a slow start': { on: 'function', effect: 'delay', delayMs: 1 },
  };

  it.each(Object.entries(sound))('takes %s', (_, fault) => {
    expect(parseFaultSet({ seed: 0, faults: [fault] }, names)).toEqual({ seed: 0, faults: [fault] });
  });

  it.each([
    [[], 'expected a JSON object, got []'],
    [{}, 'expected faults to be a list of at most 100, got nothing'],
    [{ faults: [], sed: 1 }, 'expected seed, faults, got sed'],
    [{ seed: -1, faults: [] }, 'expected seed to be a whole number from 0 to 4294967295, got -1'],
    [{ faults: [1] }, 'expected faults[0] to be an object, got 1'],
    [
      { faults: [{ on: 'queues' }] },
      'expected faults[0].on to be one of @connections, disconnect, queue, bus, table, function, got "queues"',
    ],
    [
      { faults: [{ on: 'queue', effect: 'toString' }] },
      'expected faults[0].effect to be one of refuse, duplicate, reorder, delay, got "toString"',
    ],
    [
      { faults: [{ on: 'queue', effect: 'delay' }] },
      'expected faults[0].delayMs to be whole milliseconds from 0 to 900000, or two of them, [from, to], got nothing',
    ],
    [
      { faults: [{ on: 'queue', effect: 'delay', delayMs: [2, 1] }] },
      'expected faults[0].delayMs to be whole milliseconds from 0 to 900000, or two of them, [from, to], got [2,1]',
    ],
    [
      { faults: [{ on: 'queue', effect: 'duplicate', queue: 'inges' }] },
      'expected faults[0].queue to be the name of a queue (App-Ingest1, App-IngestDeadLetters2) ' +
        'or of a construct with one, got "inges"',
    ],
    [
      { faults: [{ on: 'queue', effect: 'duplicate', delayMs: 1 }] },
      'expected faults[0].on, effect, queue, rate, times, got faults[0].delayMs',
    ],
    [
      {
        faults: [
          { on: 'function', effect: 'crash' },
          { on: 'function', effect: 'crash', rate: 2, times: 0 },
        ],
      },
      'expected faults[1].rate to be a number above 0, up to 1, got 2; ' +
        'expected faults[1].times to be a whole number from 1 to 9007199254740991, got 0',
    ],
  ])('refuses %j', (value, message) => {
    expect(() => parseFaultSet(value, names)).toThrow(message);
  });
});

describe('an invocation', () => {
  const call = (traceId: string, operation: string): IncomingMessage => {
    const [method, target] = operation.includes('.') ? ['POST', operation] : [operation, undefined];
    // As far as it is read.
    return {
      method,
      headers: { 'x-amzn-trace-id': traceId, 'x-amz-target': target },
    } as unknown as IncomingMessage;
  };
  const GET = 'DynamoDB_20120810.GetItem';

  it('dies at the call that is due, and makes no other', () => {
    const invocations = new Invocations();
    const faults = armed([{ on: 'function', effect: 'kill', function: 'fanout', call: 2 }]);
    const killed: string[] = [];
    invocations.begin('App-Deliver5', 'other', () => killed.push('other'));
    invocations.begin('App-Fanout4', 'one', () => killed.push('one'));
    const deaths = ['one', 'other', 'other', 'one', 'one'].map((id) =>
      invocations.deathAt(call(id, GET), faults),
    );
    expect(deaths.map((death) => death?.isPerformed)).toEqual([undefined, undefined, undefined, true, false]);
    expect(killed).toEqual([]);
    for (const death of deaths) death?.kill();
    expect(killed).toEqual(['one']);
    expect(strikesOf(faults)).toEqual([1]);
  });

  it('counts for itself, and afresh when its environment handles the next', () => {
    const invocations = new Invocations();
    const faults = armed([{ on: 'function', effect: 'kill', call: 2, when: 'before' }]);
    const end = invocations.begin('App-Fanout4', 'first', () => {});
    expect(invocations.deathAt(call('first', GET), faults)).toBeUndefined();
    end();
    expect(invocations.deathAt(call('first', GET), faults)).toBeUndefined();
    invocations.begin('App-Fanout4', 'second', () => {});
    expect(invocations.deathAt(call('second', GET), faults)).toBeUndefined();
    expect(invocations.deathAt(call('second', GET), faults)).toMatchObject({ isPerformed: false });
  });

  it('counts the calls of one operation, if the fault names one', () => {
    const invocations = new Invocations();
    const faults = armed([{ on: 'function', effect: 'kill', operation: 'PostToConnection', call: 2 }]);
    invocations.begin('App-Fanout4', 'one', () => {});
    const operations = [GET, GET, 'POST', 'GET', 'DynamoDB_20120810.Query', 'POST'];
    const deaths = operations.map((operation) => invocations.deathAt(call('one', operation), faults));
    expect(deaths.map((death) => death !== undefined)).toEqual([false, false, false, false, false, true]);
  });

  it('that has ended is not killed any more: its thread may be at the next one', () => {
    const invocations = new Invocations();
    const faults = armed([{ on: 'function', effect: 'kill', call: 1 }]);
    let isKilled = false;
    const end = invocations.begin('App-Fanout4', 'one', () => {
      isKilled = true;
    });
    const death = invocations.deathAt(call('one', GET), faults);
    end();
    death?.kill();
    expect(isKilled).toBe(false);
  });
});
