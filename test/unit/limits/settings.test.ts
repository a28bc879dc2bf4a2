import { expect, it } from 'vitest';
import { completeLimits, type LimitsSettings } from '../../../infra/limits.ts';
import { completeSettings } from '../../../infra/settings.ts';
import { parseLimits, RATES } from '../../../shared/protocol/limits.ts';

const complete = (given: LimitsSettings, preset?: string) => completeLimits(given, preset).limits;

it('limits nothing in a sandbox but what one frame may cost', () => {
  expect(completeSettings({}).limits).toEqual({ rates: {}, publishBytesMax: 1_048_576 });
});

it('limits everything in production, each frame that the protocol allows included', () => {
  const { rates, connections, connectionsPerUser } = completeSettings({ preset: 'production' }).limits;
  expect(Object.keys(rates)).toEqual(RATES);
  expect([connections, connectionsPerUser]).toEqual([60_000, 20]);
  expect(rates.publishes?.burst).toBeGreaterThanOrEqual(10 * 100);
  expect(rates.publishBytes?.burst).toBeGreaterThan(1_048_576);
  // A connection that comes back with all of its subscriptions.
  expect(rates.commands?.burst).toBeGreaterThan(100);
});

it('lets each of them be another, or off', () => {
  const { limits } = completeSettings({
    preset: 'production',
    limits: {
      ...{ connections: false, connectionsPerUser: 3, commandsPerSecond: 7, topicsPerHour: 36 },
      ...{ publishesPerSecond: { rate: 5, burst: 60 }, historyBytesPerSecond: false },
      publishBytesMax: 4_096,
    },
  });
  const { publishBytes, ...rates } = limits.rates;
  expect(publishBytes).toBeDefined();
  expect({ ...limits, rates }).toEqual({
    connectionsPerUser: 3,
    rates: {
      commands: { perSecond: 7, burst: 70 },
      publishes: { perSecond: 5, burst: 60 },
      topics: { perSecond: 0.01, burst: 36 },
    },
    publishBytesMax: 4_096,
  });
  expect(parseLimits(JSON.stringify(limits))).toEqual(limits);
});

it('takes a rate without a burst for the usual one', () => {
  expect(complete({ commandsPerSecond: { rate: 3 } }).rates).toEqual({
    commands: { perSecond: 3, burst: 30 },
  });
});

it('names what is out of bounds', () => {
  expect(() =>
    completeSettings({
      limits: {
        ...{ connections: 0, connectionsPerUser: 1_001, commandsPerSecond: 0.5, publishBytesMax: 7 },
        ...{
          publishesPerSecond: { rate: 1, burst: 0 },
          historyBytesPerSecond: 1_000,
          topicsPerHour: Number.NaN,
        },
        bytes: 1,
      } as never,
    }),
  ).toThrow(
    'Bad Fanwire settings: ' +
      'expected limits to have no fields but connections, connectionsPerUser, commandsPerSecond, publishesPerSecond, ' +
      'publishBytesPerSecond, historyBytesPerSecond, topicsPerHour, publishBytesMax, got bytes; ' +
      'expected limits.connections to be a whole number from 1 to 10000000, got 0; ' +
      'expected limits.connectionsPerUser to be a whole number from 1 to 1000, got 1001; ' +
      'expected limits.publishBytesMax to be a whole number from 1024 to 104857600, got 7; ' +
      'expected limits.commandsPerSecond to be a whole number from 1 to 1000000, got 0.5; ' +
      'expected limits.publishesPerSecond.burst to be a whole number from 1 to 10000000000, got 0; ' +
      'expected limits.historyBytesPerSecond to be a whole number from 1024 to 1000000000, got 1000; ' +
      'expected limits.topicsPerHour to be a whole number from 1 to 1000000, got NaN',
  );
});

it.each([false, 0, null])('has no way to switch off what one frame may cost: %s', (publishBytesMax) => {
  expect(() => completeSettings({ limits: { publishBytesMax } as never })).toThrow(
    /expected limits\.publishBytesMax to be /,
  );
});

it('takes what is undefined for what was not given', () => {
  const limits = {
    ...{ connections: undefined, connectionsPerUser: undefined, publishBytesMax: undefined },
    ...{ commandsPerSecond: undefined, publishesPerSecond: { rate: 100, burst: undefined } },
  } as never;
  for (const preset of ['production', 'sandbox'] as const) {
    expect(
      completeSettings({ preset, limits: { ...(limits as object), publishesPerSecond: undefined } as never }),
    ).toEqual(completeSettings({ preset }));
  }
  expect(completeSettings({ preset: 'production', limits })).toEqual(
    completeSettings({ preset: 'production' }),
  );
  expect(completeSettings({ limits: undefined } as never)).toEqual(completeSettings({}));
});

it.each<[string, unknown, string]>([
  ['null', null, 'expected limits to be an object, got null'],
  ['a list', [], 'expected limits to be an object, got []'],
  ['a number', 5, 'expected limits to be an object, got 5'],
  ['a text', 'none', "expected limits to be an object, got 'none'"],
  ['false', false, 'expected limits to be an object, got false'],
  [
    'a rate of null',
    { commandsPerSecond: null },
    'expected limits.commandsPerSecond to be a whole number from 1 to 1000000, got null',
  ],
  [
    'a rate of true',
    { commandsPerSecond: true },
    'expected limits.commandsPerSecond to be a whole number from 1 to 1000000, got true',
  ],
  [
    'a rate as text',
    { commandsPerSecond: '50' },
    "expected limits.commandsPerSecond to be a whole number from 1 to 1000000, got '50'",
  ],
  [
    'a rate in a list',
    { commandsPerSecond: [50] },
    'expected limits.commandsPerSecond to be a whole number from 1 to 1000000, got [ 50 ]',
  ],
  [
    'a rate that is off inside',
    { commandsPerSecond: { rate: false, burst: false } },
    'expected limits.commandsPerSecond to be a whole number from 1 to 1000000, got false; ' +
      'expected limits.commandsPerSecond.burst to be a whole number from 1 to 10000000000, got false',
  ],
  [
    'a burst alone',
    { commandsPerSecond: { burst: 5 } },
    'expected limits.commandsPerSecond to be a whole number from 1 to 1000000, got undefined',
  ],
  [
    'a misspelled burst',
    { commandsPerSecond: { rate: 50, burts: 5 } },
    'expected limits.commandsPerSecond to have no fields but rate, burst, got burts',
  ],
  [
    'bytes as text',
    { publishBytesMax: '4096' },
    "expected limits.publishBytesMax to be a whole number from 1024 to 104857600, got '4096'",
  ],
  [
    'connections as text',
    { connections: '7', connectionsPerUser: null },
    "expected limits.connections to be a whole number from 1 to 10000000, got '7'; " +
      'expected limits.connectionsPerUser to be a whole number from 1 to 1000, got null',
  ],
])('refuses what is none: %s', (_, limits, problem) => {
  expect(() => completeSettings({ limits } as never)).toThrow(new Error(`Bad Fanwire settings: ${problem}`));
});
