import { expect, it } from 'vitest';
import type { Fault } from '../../infra/local/faults/fault.ts';
import { Faults } from '../../infra/local/faults/faults.ts';
import { parseFaultSet } from '../../infra/local/faults/parse.ts';
import { Names } from '../../infra/local/stack/names.ts';

/** What each fault that can be put in force comes to, where the engines ask. */

const names = new Names([]);
const CALL = { headers: { 'x-amzn-trace-id': 'one', 'x-amz-target': 'DynamoDB_20120810.GetItem' }, url: '/' };

const CASES: readonly [fault: Fault, ask: (faults: Faults) => unknown, answer: unknown][] = [
  [{ on: '@connections', effect: 'delay', delayMs: 7 }, management, { delayMs: 7 }],
  [{ on: '@connections', effect: 'hang' }, management, { outcome: 'hang' }],
  [{ on: '@connections', effect: 'answer', status: 410 }, management, { delayMs: 0, outcome: 410 }],
  [{ on: '@connections', effect: 'drop' }, management, { delayMs: 0, outcome: 'drop' }],
  [{ on: 'disconnect', effect: 'lose' }, ({ gateway }) => gateway.disconnect?.('id'), 'never'],
  [{ on: 'disconnect', effect: 'delay', delayMs: 7 }, ({ gateway }) => gateway.disconnect?.('id'), 7],
  [{ on: 'queue', effect: 'refuse' }, ({ queues }) => queues.refuses?.('queue', 'SendMessageBatch'), true],
  [{ on: 'queue', effect: 'duplicate' }, ({ queues }) => queues.fate?.('queue'), 'twice'],
  [{ on: 'queue', effect: 'reorder' }, ({ queues }) => queues.next?.('queue', 2), 1],
  [{ on: 'queue', effect: 'delay', delayMs: 7 }, ({ queues }) => queues.fate?.('queue'), 7],
  [
    { on: 'bus', effect: 'refuse', error: 'InternalFailure' },
    ({ buses }) => buses.refusal?.('bus', 'type'),
    'InternalFailure',
  ],
  [{ on: 'bus', effect: 'duplicate', delayMs: 7 }, ({ buses }) => buses.copies?.('bus', 'type'), [0, 7]],
  [{ on: 'bus', effect: 'delay', delayMs: 7 }, ({ buses }) => buses.copies?.('bus', 'type'), [7]],
  [
    { on: 'table', effect: 'throttle' },
    ({ tables }) => tables.throttle?.('table', 'Query'),
    'ProvisionedThroughputExceededException',
  ],
  [{ on: 'table', effect: 'delay', delayMs: 7 }, ({ tables }) => tables.delayMs?.('table', 'Query'), 7],
  [{ on: 'function', effect: 'kill', call: 1 }, death, true],
  [{ on: 'function', effect: 'crash' }, ({ functions }) => functions.start?.('name'), 'crash'],
  [{ on: 'function', effect: 'delay', delayMs: 7 }, ({ functions }) => functions.start?.('name'), 7],
];

function management({ gateway }: Faults): unknown {
  return gateway.management?.('POST', 'id');
}

function death({ functions, callers }: Faults): unknown {
  functions.invoked?.('name', 'one', () => {});
  return callers.deathAt?.({ ...CALL, method: 'POST' })?.isPerformed;
}

it.each(CASES)('%j strikes', (fault, ask, answer) => {
  const faults = new Faults({ seed: 1, faults: [fault] }, names, () => {});
  expect(ask(faults)).toEqual(answer);
  expect(faults.report().faults).toEqual([{ ...fault, strikes: 1 }]);
  faults.set({ faults: [] });
  expect(ask(faults)).toEqual(ask(new Faults({ faults: [] }, names, () => {})));
});

it('leaves no fault out', () => {
  const optionsOf = (fault: object): string[] => {
    try {
      parseFaultSet({ faults: [fault] }, names);
    } catch (error) {
      return / to be one of (.*), got nothing/.exec(String(error))?.[1]?.split(', ') ?? [];
    }
    return [];
  };
  const all = optionsOf({}).flatMap((on) => optionsOf({ on }).map((effect) => `${on} ${effect}`));
  expect(all).toEqual(CASES.map(([{ on, effect }]) => `${on} ${effect}`));
});
