import { describe, expect, it } from 'vitest';
import type { Invocation } from '../../infra/local/lambda/invoke.ts';
import { type ScheduleSettings, startSchedule } from '../../infra/local/scheduler/schedule.ts';
import { nextRun, parseTiming } from '../../infra/local/scheduler/timing.ts';
import { ManualClock } from '../support/manual-clock.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** The next runs after a time, as text. */
function runsAfter(expression: string, after: string, count = 3): string[] {
  const timing = parseTiming(expression);
  const runs: string[] = [];
  let afterMs = Date.parse(after);
  while (runs.length < count) {
    const atMs = nextRun(timing, Date.parse(after), afterMs);
    if (atMs === undefined) break;
    runs.push(new Date(atMs).toISOString().slice(0, 16));
    afterMs = atMs;
  }
  return runs;
}

describe('timing', () => {
  it.each([
    ['rate(5 minutes)', 5 * MINUTE_MS],
    ['rate(1 hour)', 60 * MINUTE_MS],
    ['rate(30 days)', 30 * DAY_MS],
  ])('%s is a rate', (expression, everyMs) => {
    expect(parseTiming(expression)).toEqual({ kind: 'rate', everyMs });
  });

  it('runs an at expression once, if its time is still to come', () => {
    const timing = parseTiming('at(2026-11-20T08:30:00)');
    const atMs = Date.UTC(2026, 10, 20, 8, 30);
    expect(nextRun(timing, 0, atMs - 1)).toBe(atMs);
    expect(nextRun(timing, 0, atMs)).toBeUndefined();
  });

  it.each([
    [
      'cron(0/20 * * * ? *)',
      '2026-01-01T23:30',
      ['2026-01-01T23:40', '2026-01-02T00:00', '2026-01-02T00:20'],
    ],
    [
      'cron(15 10 ? * MON-FRI *)',
      '2026-11-20T11:00',
      ['2026-11-23T10:15', '2026-11-24T10:15', '2026-11-25T10:15'],
    ],
    [
      'cron(0 8,20 1 JAN,jul ? *)',
      '2026-06-01T00:00',
      ['2026-07-01T08:00', '2026-07-01T20:00', '2027-01-01T08:00'],
    ],
    ['cron(0 0 31 * ? *)', '2026-01-31T00:00', ['2026-03-31T00:00', '2026-05-31T00:00', '2026-07-31T00:00']],
    ['cron(0 0 29 2 ? *)', '2097-01-01T00:00', ['2104-02-29T00:00', '2108-02-29T00:00', '2112-02-29T00:00']],
    [
      'cron(0 12 ? * 1 2030)',
      '2030-12-15T00:00',
      ['2030-12-15T12:00', '2030-12-22T12:00', '2030-12-29T12:00'],
    ],
    ['cron(0 12 * * ? 2020)', '2026-01-01T00:00', []],
    ['cron(0 0 30 2 ? *)', '2026-01-01T00:00', []],
    [
      'cron(0 9-17/4 ? * SUN *)',
      '2026-11-20T00:00',
      ['2026-11-22T09:00', '2026-11-22T13:00', '2026-11-22T17:00'],
    ],
  ])('follows %s', (expression, after, runs) => {
    expect(runsAfter(expression, `${after}Z`)).toEqual(runs);
  });

  // The examples of the EventBridge guide, what it says of each wildcard, and expressions that AWS was seen to take.
  it.each([
    ['cron(0 10 * * ? *)', '2026-11-20T10:00', ['2026-11-21T10:00', '2026-11-22T10:00']],
    ['cron(15 12 * * ? *)', '2026-12-31T12:00', ['2026-12-31T12:15', '2027-01-01T12:15']],
    ['cron(0 18 ? * MON-FRI *)', '2026-11-20T17:59', ['2026-11-20T18:00', '2026-11-23T18:00']],
    ['cron(0 8 1 * ? *)', '2026-12-01T08:00', ['2027-01-01T08:00', '2027-02-01T08:00']],
    ['cron(0/15 * * * ? *)', '2026-11-20T23:40', ['2026-11-20T23:45', '2026-11-21T00:00']],
    ['cron(0/10 * ? * MON-FRI *)', '2026-11-20T23:49', ['2026-11-20T23:50', '2026-11-23T00:00']],
    ['cron(0/5 8-17 ? * MON-FRI *)', '2026-11-20T17:50', ['2026-11-20T17:55', '2026-11-23T08:00']],
    ['cron(0/30 20-23 ? * MON-FRI *)', '2026-11-20T23:00', ['2026-11-20T23:30', '2026-11-23T20:00']],
    ['cron(0/30 0-2 ? * MON-FRI *)', '2026-11-20T02:30', ['2026-11-23T00:00', '2026-11-23T00:30']],
    ['cron(0/5 5 ? JAN 1-5 2022)', '2022-01-06T05:55', ['2022-01-09T05:00', '2022-01-09T05:05']],
    ['cron(5,35 14 * * ? *)', '2026-11-20T14:05', ['2026-11-20T14:35', '2026-11-21T14:05']],
    ['cron(0 2 ? * SAT *)', '2026-11-20T00:00', ['2026-11-21T02:00', '2026-11-28T02:00']],
    ['cron(1/10 * * * ? *)', '2026-11-20T08:45', ['2026-11-20T08:51', '2026-11-20T09:01']],
    ['cron(*/15 * * * ? *)', '2026-11-20T08:31', ['2026-11-20T08:45', '2026-11-20T09:00']],
    ['cron(0-59/10 0-23/2 ? * * *)', '2026-11-20T08:45', ['2026-11-20T08:50', '2026-11-20T10:00']],
    ['cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)', '2026-11-21T08:15', ['2026-11-23T08:00', '2026-11-23T08:01']],
    ['cron(30-30 13-13 ? * 2,4,6 *)', '2026-11-20T13:30', ['2026-11-23T13:30', '2026-11-25T13:30']],
    ['cron(1-31/30 1-1 ? * 1,7 *)', '2026-11-21T01:01', ['2026-11-21T01:31', '2026-11-22T01:01']],
    ['cron(0 0 1 JAN,FEB,MAR ? *)', '2026-11-20T00:00', ['2027-01-01T00:00', '2027-02-01T00:00']],
    ['cron(0 0 1-15 * ? *)', '2026-11-14T00:00', ['2026-11-15T00:00', '2026-12-01T00:00']],
    ['cron(0 0 7 * ? *)', '2026-11-07T00:00', ['2026-12-07T00:00', '2027-01-07T00:00']],
    ['cron(0 0 1/10 * ? *)', '2026-11-21T00:00', ['2026-12-01T00:00', '2026-12-11T00:00']],
    ['cron(0 0 1 1/5 ? *)', '2026-11-20T00:00', ['2027-01-01T00:00', '2027-06-01T00:00']],
    ['cron(0 0 ? * 2/2 *)', '2026-11-20T00:00', ['2026-11-23T00:00', '2026-11-25T00:00']],
    ['cron(0 0 ? * TUE,3,Sat *)', '2026-11-20T00:00', ['2026-11-21T00:00', '2026-11-24T00:00']],
    ['cron(0 0 1 1 ? 2030/5)', '2026-11-20T00:00', ['2030-01-01T00:00', '2035-01-01T00:00']],
    ['cron(59 23 31 12 ? 2199)', '2026-11-20T00:00', ['2199-12-31T23:59']],
    ['cron(* * * * ? 2027-2028)', '2026-11-20T00:00', ['2027-01-01T00:00', '2027-01-01T00:01']],
    ['cron(0 0 29 FEB ? *)', '2026-11-20T00:00', ['2028-02-29T00:00', '2032-02-29T00:00']],
    ['cron(0 0 L * ? *)', '2027-12-31T00:00', ['2028-01-31T00:00', '2028-02-29T00:00']],
    ['cron(0 0 LW * ? *)', '2026-10-30T00:00', ['2026-11-30T00:00', '2026-12-31T00:00']],
    ['cron(0 9 3W * ? *)', '2026-09-30T00:00', ['2026-10-02T09:00', '2026-11-03T09:00']],
    ['cron(0 9 15W 8,11 ? *)', '2026-01-01T00:00', ['2026-08-14T09:00', '2026-11-16T09:00']],
    ['cron(0 9 1W 8 ? *)', '2026-01-01T00:00', ['2026-08-03T09:00', '2027-08-02T09:00']],
    ['cron(0 0 ? * L *)', '2026-11-20T00:00', ['2026-11-21T00:00', '2026-11-28T00:00']],
    ['cron(15 10 ? * 6L 2022-2023)', '2022-01-01T00:00', ['2022-01-28T10:15', '2022-02-25T10:15']],
    ['cron(15 10 ? * FRIL *)', '2026-11-20T00:00', ['2026-11-27T10:15', '2026-12-25T10:15']],
    ['cron(0 9 ? * 2#1 *)', '2026-11-20T00:00', ['2026-12-07T09:00', '2027-01-04T09:00']],
    ['cron(0 9 ? * 3#2 *)', '2026-11-20T00:00', ['2026-12-08T09:00', '2027-01-12T09:00']],
    ['cron(0 2 ? * SAT#3 *)', '2026-11-20T00:00', ['2026-11-21T02:00', '2026-12-19T02:00']],
    ['cron(* * ? * SAT#3 *)', '2026-11-21T23:58', ['2026-11-21T23:59', '2026-12-19T00:00']],
    ['cron(0 0 ? * 1#5 *)', '2026-11-20T00:00', ['2026-11-29T00:00', '2027-01-31T00:00']],
  ])('runs %s', (expression, after, runs) => {
    expect(runsAfter(expression, `${after}Z`, 2)).toEqual(runs);
  });

  it.each([
    ['5 minutes', 'expected rate(…), at(…) or cron(…), got 5 minutes'],
    ['rate(0 minutes)', 'expected rate(N minutes|hours|days), got rate(0 minutes)'],
    ['rate(5 weeks)', 'expected rate(N minutes|hours|days)'],
    ['at(tomorrow)', 'expected at(yyyy-mm-ddThh:mm:ss), got at(tomorrow)'],
    ['at(2026-02-40T00:00:00)', 'expected at(yyyy-mm-ddThh:mm:ss)'],
    [' rate(10 minutes)', 'expected rate(…), at(…) or cron(…)'],
    ['rate( 10 minutes )', 'expected rate(N minutes|hours|days)'],
    ['rate(10 minutess)', 'expected rate(N minutes|hours|days)'],
    ['at(2021-12-31)', 'expected at(yyyy-mm-ddThh:mm:ss)'],
    ['at(2021-12-31T23:59:59Z)', 'expected at(yyyy-mm-ddThh:mm:ss)'],
    ['cron()', 'expected cron with six fields'],
    ['cron(* * * * ?)', 'expected cron with six fields'],
    ['cron(0 0 * * ? * *)', 'expected cron with six fields'],
    ['cron(* * * * * *)', 'expected ? as day of the month or as day of the week'],
    ['cron(* * ? * ? *)', 'expected ? as day of the month or as day of the week'],
    ['cron(7 20 * * NOT *)', 'expected ? as day of the month or as day of the week'],
    ['cron(60 * * * ? *)', 'expected numbers from 0 to 59'],
    ['cron(0 24 * * ? *)', 'expected numbers from 0 to 23'],
    ['cron(0 0 0 * ? *)', 'expected numbers from 1 to 31'],
    ['cron(0 0 * 13 ? *)', 'expected numbers from 1 to 12'],
    ['cron(0 0 ? * 0 *)', 'expected numbers from 1 to 7'],
    ['cron(0 0 ? * 8 *)', 'expected numbers from 1 to 7'],
    ['cron(0 0 * * ? 1969)', 'expected numbers from 1970 to 2199'],
    ['cron(0 0 * * ? 2200)', 'expected numbers from 1970 to 2199'],
    ['cron(0 dummy ? * MON-FRI *)', 'got dummy'],
    ['cron(7 20 ? * NOT *)', 'cron(7 20 ? * NOT *)'],
    ['cron(? * * * ? *)', 'got ?'],
    ['cron(/5 * * * ? *)', 'got /5'],
    ['cron(5/0 * * * ? *)', 'got 5/0'],
    ['cron(1, * * * ? *)', 'expected numbers from 0 to 59'],
    ['cron(0 0 ? * +MON *)', 'got +MON'],
    ['cron(0 0 W * ? *)', 'got W'],
    ['cron(0 0 32W * ? *)', 'got cron(0 0 32W * ? *)'],
    ['cron(0 0 1,15W * ? *)', 'got 15W'],
    ['cron(L * * * ? *)', 'got L'],
    ['cron(0 0 ? * 6#6 *)', 'got 6#6'],
    ['cron(0 0 ? * 8L *)', 'got 8L'],
    ['cron(0 0 ? * 8#1 *)', 'got 8#1'],
    ['cron(0 0 ? * 3#1,6#3 *)', 'got 3#1'],
    ['cron(0 0 ? * FRI-MON *)', 'got cron(0 0 ? * FRI-MON *)'],
  ])('refuses %s', (expression, reason) => {
    expect(() => parseTiming(expression)).toThrow(reason);
  });
});

const settings = (changes: Partial<ScheduleSettings> = {}): ScheduleSettings => ({
  name: 'sweep',
  arn: 'arn:aws:scheduler:eu-west-1:000000000000:schedule/default/sweep',
  expression: 'rate(10 minutes)',
  state: 'ENABLED',
  target: { arn: 'arn:aws:lambda:eu-west-1:000000000000:function:sweep' },
  ...changes,
});

/** A function whose runs end when the test says so. */
function slowFunction() {
  const events: unknown[] = [];
  const ends: ((invocation: Invocation) => void)[] = [];
  const invoke = (_arn: string, event: unknown): Promise<Invocation> => {
    events.push(event);
    return new Promise((resolve) => ends.push(resolve));
  };
  return { events, invoke, end: (invocation: Invocation) => ends.shift()?.(invocation) };
}

const OK: Invocation = { ok: true, payload: null };

describe('a schedule', () => {
  it('runs a rate at once and then every period, whether the last run has ended or not', async () => {
    const clock = new ManualClock(0);
    const { events, invoke } = slowFunction();
    startSchedule(settings(), { invoke, clock, log: () => {} });
    clock.advance(0);
    expect(events).toHaveLength(1);
    clock.advance(10 * MINUTE_MS - 1);
    expect(events).toHaveLength(1);
    clock.advance(1);
    expect(events).toHaveLength(2);
    clock.advance(20 * MINUTE_MS);
    expect(events).toHaveLength(4);
  });

  it('goes on after a run that could not even be invoked, and the log says it', async () => {
    const clock = new ManualClock(0);
    const log: string[] = [];
    const invoke = () => Promise.reject(new Error('broken'));
    const schedule = startSchedule(settings(), { invoke, clock, log: (line) => log.push(line) });
    clock.advance(10 * MINUTE_MS);
    await schedule.stop();
    expect(log).toEqual(['schedule sweep: Error: broken', 'schedule sweep: Error: broken']);
  });

  it('counts its runs', () => {
    const clock = new ManualClock(0);
    const ran: string[] = [];
    const { invoke } = slowFunction();
    const meter = { ran: (name: string) => void ran.push(name) };
    startSchedule(settings(), { invoke, clock, log: () => {}, meter });
    clock.advance(10 * MINUTE_MS);
    expect(ran).toEqual(['sweep', 'sweep']);
  });

  it('waits longer than a timer of Node can', () => {
    const clock = new ManualClock(0);
    const longest: number[] = [];
    const { events, invoke } = slowFunction();
    const after = (delayMs: number, task: () => void) => {
      longest.push(delayMs);
      return clock.after(delayMs, task);
    };
    const watched = { now: () => clock.now(), after };
    startSchedule(settings({ expression: 'rate(30 days)' }), { invoke, clock: watched, log: () => {} });
    clock.advance(30 * DAY_MS - 1);
    expect(events).toHaveLength(1);
    clock.advance(1);
    expect(events).toHaveLength(2);
    expect(Math.max(...longest)).toBeLessThan(2 ** 31);
  });

  it('does not make up for the runs that the machine slept through', () => {
    let now = 0;
    let waiting: { delayMs: number; task: () => void } | undefined;
    const after = (delayMs: number, task: () => void) => {
      waiting = { delayMs, task };
      return () => {};
    };
    const { events, invoke } = slowFunction();
    startSchedule(settings(), { invoke, clock: { now: () => now, after }, log: () => {} });
    now = DAY_MS + 4 * MINUTE_MS;
    waiting?.task();
    expect(events).toHaveLength(1);
    expect(waiting?.delayMs).toBe(6 * MINUTE_MS);
  });

  it('gives the default event of EventBridge Scheduler', () => {
    const clock = new ManualClock(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
    const { events, invoke } = slowFunction();
    startSchedule(settings(), { invoke, clock, log: () => {} });
    clock.advance(0);
    expect(events).toEqual([
      {
        version: '0',
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        'detail-type': 'Scheduled Event',
        source: 'aws.scheduler',
        account: '000000000000',
        time: '2026-01-02T03:04:05Z',
        region: 'eu-west-1',
        resources: ['arn:aws:scheduler:eu-west-1:000000000000:schedule/default/sweep'],
        detail: '{}',
      },
    ]);
  });

  it('gives the event of EventBridge when it belongs to a rule', () => {
    const clock = new ManualClock(0);
    const { events, invoke } = slowFunction();
    const arn = 'arn:aws:events:eu-west-1:000000000000:rule/sweep';
    startSchedule(settings({ arn }), { invoke, clock, log: () => {} });
    clock.advance(0);
    expect(events).toMatchObject([{ source: 'aws.events', resources: [arn], detail: {} }]);
  });

  it('gives its own input, with the context attributes filled in', () => {
    const clock = new ManualClock(0);
    const { events, invoke } = slowFunction();
    const input =
      '{"at":"<aws.scheduler.scheduled-time>","try":"<aws.scheduler.attempt-number>","full":true}';
    const { target } = settings();
    startSchedule(settings({ target: { ...target, input } }), { invoke, clock, log: () => {} });
    clock.advance(0);
    expect(events).toEqual([{ at: '1970-01-01T00:00:00Z', try: '1', full: true }]);
  });

  it('goes on after a run that failed, and says so', async () => {
    const clock = new ManualClock(0);
    const lines: string[] = [];
    const { events, invoke, end } = slowFunction();
    const schedule = startSchedule(settings(), { invoke, clock, log: (line) => lines.push(line) });
    clock.advance(0);
    end({ ok: false, reason: 'threw', errorType: 'TypeError', errorMessage: 'x is not a function' });
    clock.advance(10 * MINUTE_MS);
    expect(events).toHaveLength(2);
    end(OK);
    await schedule.stop();
    expect(lines).toEqual(['schedule sweep: TypeError x is not a function']);
  });

  it('runs no more once stopped, and has waited for the run that was going', async () => {
    const clock = new ManualClock(0);
    const { events, invoke, end } = slowFunction();
    const schedule = startSchedule(settings(), { invoke, clock, log: () => {} });
    clock.advance(0);
    let isStopped = false;
    const stopping = schedule.stop().then(() => {
      isStopped = true;
    });
    clock.advance(DAY_MS);
    expect(events).toHaveLength(1);
    expect(isStopped).toBe(false);
    end(OK);
    await stopping;
  });

  it('never runs when disabled', () => {
    const clock = new ManualClock(0);
    const { events, invoke } = slowFunction();
    startSchedule(settings({ state: 'DISABLED' }), { invoke, clock, log: () => {} });
    clock.advance(DAY_MS);
    expect(events).toEqual([]);
  });

  it.each([
    [
      { expression: 'rate(5 weeks)', state: 'DISABLED' as const },
      'schedule sweep: expected rate(N minutes|hours|days)',
    ],
    [
      { target: { arn: 'arn:aws:sqs:eu-west-1:000000000000:q' } },
      'schedule sweep: expected a Lambda function as target',
    ],
    [{ target: { ...settings().target, input: '{' } }, 'schedule sweep: '],
  ])('is refused at the start with its name: %j', (changes, reason) => {
    const { invoke } = slowFunction();
    const start = () => startSchedule(settings(changes), { invoke, clock: new ManualClock(), log: () => {} });
    expect(start).toThrow(reason);
  });
});
