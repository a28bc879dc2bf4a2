import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Invoke } from '../lambda/invoke.ts';
import { owned } from '../owned.ts';
import type { ScheduleMeter } from './meter.ts';
import { nextRun, parseTiming, type Timing } from './timing.ts';

/** No single wait is longer: beyond 24.8 days a timer of Node fires at once. */
const WAIT_MS_MAX = 24 * 60 * 60 * 1000;

export interface ScheduleSettings {
  readonly name: string;
  readonly arn: string;
  /** `rate(…)`, `at(…)` or `cron(…)`, in UTC. */
  readonly expression: string;
  readonly state: 'ENABLED' | 'DISABLED';
  /** A Lambda function, the JSON that it gets in place of the default event, and the role that may invoke it. */
  readonly target: { readonly arn: string; readonly input?: string; readonly roleArn?: string };
}

interface ScheduleDeps {
  readonly invoke: Invoke;
  readonly clock: Clock;
  /** Told about a run that failed: there is no retry but the next run. */
  readonly log: (line: string) => void;
  readonly meter?: ScheduleMeter;
}

export interface Schedule {
  /** Runs no more, and waits for the runs that are going. */
  stop(): Promise<void>;
}

/** Starts a schedule of EventBridge Scheduler without a start date or a time window. */
export function startSchedule(settings: ScheduleSettings, deps: ScheduleDeps): Schedule {
  const { invoke, clock, log, meter } = deps;
  const { name, target, state } = settings;
  const timing = checked(settings);
  const startMs = clock.now();
  const running = new Set<Promise<void>>();
  let cancel = (): void => {};

  const run = async (atMs: number): Promise<void> => {
    meter?.ran(name);
    const invocation = await invoke(target.arn, eventOf(settings, atMs));
    if (!invocation.ok) log(`schedule ${name}: ${invocation.errorType} ${invocation.errorMessage}`);
  };
  const wait = (atMs: number): void => {
    const leftMs = atMs - clock.now();
    cancel = clock.after(Math.min(Math.max(leftMs, 0), WAIT_MS_MAX), () => {
      if (leftMs > WAIT_MS_MAX) return wait(atMs);
      // A run that takes longer than its period does not hold up the next.
      const going = owned(
        () => run(atMs),
        (error) => log(`schedule ${name}: ${error}`),
      ).finally(() => running.delete(going));
      running.add(going);
      waitForNext(Math.max(atMs, clock.now()));
    });
  };
  const waitForNext = (afterMs: number): void => {
    const atMs = nextRun(timing, startMs, afterMs);
    if (atMs !== undefined) wait(atMs);
  };

  if (state === 'ENABLED') waitForNext(startMs - 1);
  return {
    async stop() {
      cancel();
      await Promise.all(running);
    },
  };
}

function checked({ name, expression, target }: ScheduleSettings): Timing {
  try {
    if (target.arn.split(':')[2] !== 'lambda') {
      throw new Error(`expected a Lambda function as target, got ${target.arn}`);
    }
    if (target.input !== undefined) JSON.parse(target.input);
    return parseTiming(expression);
  } catch (error) {
    throw new Error(`schedule ${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/** The target's input with its context attributes filled in (Scheduler guide), or Scheduler's default event. */
function eventOf({ arn, target }: ScheduleSettings, atMs: number): unknown {
  const id = randomUUID();
  const time = new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z');
  if (target.input !== undefined) {
    const attributes: Readonly<Record<string, string>> = {
      'scheduled-time': time,
      'schedule-arn': arn,
      'execution-id': id,
      'attempt-number': '1',
    };
    return JSON.parse(
      target.input.replace(/<aws\.scheduler\.([a-z-]+)>/g, (text, name) => attributes[name] ?? text),
    );
  }
  const [, , service, region = '', account = ''] = arn.split(':');
  const isRule = service === 'events'; // the older kind of schedule has its own source, and a detail that is no text
  return {
    version: '0',
    id,
    'detail-type': 'Scheduled Event',
    source: isRule ? 'aws.events' : 'aws.scheduler',
    account,
    time,
    region,
    resources: [arn],
    detail: isRule ? {} : '{}',
  };
}
