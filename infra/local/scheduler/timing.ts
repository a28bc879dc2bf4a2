import { Cron } from 'croner';

/** When a schedule runs (EventBridge Scheduler guide, "Schedule types"), in UTC. */
export type Timing =
  | { readonly kind: 'rate'; readonly everyMs: number }
  | { readonly kind: 'at'; readonly atMs: number }
  | { readonly kind: 'cron'; readonly cron: Cron };

/** One of the six fields of a cron expression. */
interface Field {
  readonly min: number;
  readonly max: number;
  /** What the field takes in place of a list. */
  readonly special?: RegExp;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const UNITS_MS: Readonly<Record<string, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };

/** Minutes, hours, days of the month, months, days of the week (1 is Sunday), years. */
const FIELDS: readonly Field[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31, special: /^(?:\?|L|LW|\d+W)$/ },
  { min: 1, max: 12 },
  { min: 1, max: 7, special: /^(?:\?|L|(?:[1-7]|[A-Za-z]{3})(?:L|#[1-5]))$/ },
  { min: 1970, max: 2199 },
];
/** One of a list: `*`, `5`, `1-5`, `0/15` or `MON-FRI`. */
const LISTED = /^(?:\*|(?:\d+|[A-Za-z]{3})(?:-(?:\d+|[A-Za-z]{3}))?)(?:\/[1-9]\d*)?$/;
/** The numbers of it but for the step. */
const NUMBERS = /(?<![\d/])\d+/g;

/** EventBridge counts days of the week from 1, and takes `0/15` for `0-59/15`. */
const CRONER_OPTIONS = {
  mode: '7-part',
  alternativeWeekdays: true,
  sloppyRanges: true,
  utcOffset: 0,
} as const;

/** Reads `rate(…)`, `at(…)` or `cron(…)`, and throws what was expected in place of anything else. */
export function parseTiming(expression: string): Timing {
  const [, kind = '', argument = ''] = /^(\w+)\(([^)]*)\)$/.exec(expression) ?? [];
  if (kind === 'rate') return { kind, everyMs: parseRate(argument, expression) };
  if (kind === 'at') return { kind, atMs: parseTime(argument, expression) };
  if (kind === 'cron') return { kind, cron: parseCron(argument, expression) };
  throw new Error(`expected rate(…), at(…) or cron(…), got ${expression}`);
}

/** The first run after `afterMs`, if there is one. A rate runs at its start and then every so often. */
export function nextRun(timing: Timing, startMs: number, afterMs: number): number | undefined {
  if (timing.kind === 'cron') return timing.cron.nextRun(new Date(afterMs))?.getTime();
  if (timing.kind === 'at') return timing.atMs > afterMs ? timing.atMs : undefined;
  const periods = Math.max(0, Math.floor((afterMs - startMs) / timing.everyMs) + 1);
  return startMs + periods * timing.everyMs;
}

function parseRate(argument: string, expression: string): number {
  const [, value = '', unit = ''] = /^([1-9]\d*) (minute|hour|day)s?$/.exec(argument) ?? [];
  const unitMs = UNITS_MS[unit];
  if (unitMs === undefined) throw new Error(`expected rate(N minutes|hours|days), got ${expression}`);
  return Number(value) * unitMs;
}

function parseTime(argument: string, expression: string): number {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(argument);
  const atMs = isTime ? Date.parse(`${argument}Z`) : Number.NaN;
  if (Number.isNaN(atMs)) throw new Error(`expected at(yyyy-mm-ddThh:mm:ss), got ${expression}`);
  return atMs;
}

function parseCron(argument: string, expression: string): Cron {
  const fields = argument.split(' ');
  if (fields.length !== FIELDS.length) throw new Error(`expected cron with six fields, got ${expression}`);
  const [minutes, hours, daysOfMonth, months, daysOfWeek, years] = fields;
  if ((daysOfMonth === '?') === (daysOfWeek === '?')) {
    throw new Error(`expected ? as day of the month or as day of the week, got ${expression}`);
  }
  for (const [index, field] of FIELDS.entries()) checkField(fields[index] ?? '', field, expression);
  // croner has a field for seconds, and no name for the last day of the week.
  const days = `${daysOfMonth} ${months} ${daysOfWeek === 'L' ? 'SAT' : daysOfWeek}`;
  try {
    return new Cron(`0 ${minutes} ${hours} ${days} ${years}`, CRONER_OPTIONS);
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    throw new Error(`expected cron as EventBridge reads it, got ${expression}: ${reason}`, { cause: error });
  }
}

/** Refuses what EventBridge refuses and croner would take. */
function checkField(field: string, { min, max, special }: Field, expression: string): void {
  if (special?.test(field)) return;
  const isOutside = (number: string): boolean => Number(number) < min || Number(number) > max;
  const wrong = field.split(',').find((part) => !LISTED.test(part) || part.match(NUMBERS)?.some(isOutside));
  if (wrong === undefined) return;
  throw new Error(
    `expected numbers from ${min} to ${max}, lists, ranges and steps, got ${wrong} in ${expression}`,
  );
}
