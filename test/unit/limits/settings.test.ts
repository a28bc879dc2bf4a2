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

it.each([false, 0, undefined, null])(
  'has no way to switch off what one frame may cost: %s',
  (publishBytesMax) => {
    expect(() => completeSettings({ limits: { publishBytesMax } as never })).toThrow(
      /expected limits\.publishBytesMax to be /,
    );
  },
);
