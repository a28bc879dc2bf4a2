/** When a schedule runs (EventBridge Scheduler guide, "Schedule types"), in UTC. */
export type Timing =
  | { readonly kind: 'rate'; readonly everyMs: number }
  | { readonly kind: 'at'; readonly atMs: number }
  | { readonly kind: 'cron'; readonly fields: CronFields };

/** The values that match, ascending; undefined for `?`. */
interface CronFields {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly daysOfMonth: readonly number[] | undefined;
  readonly months: readonly number[];
  /** 1 is Sunday. */
  readonly daysOfWeek: readonly number[] | undefined;
  readonly years: readonly number[];
}

interface Range {
  readonly min: number;
  readonly max: number;
  /** Names of the values from `min` on. */
  readonly names?: readonly string[];
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const UNITS_MS: Readonly<Record<string, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };
/** How far a cron expression is followed; the last year it can name is 2199. */
const CRON_DAYS_MAX = 200 * 366;

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

export function parseTiming(expression: string): Timing {
  const [, kind = '', argument = ''] = /^(\w+)\(([^)]*)\)$/.exec(expression) ?? [];
  if (kind === 'rate') return { kind, everyMs: parseRate(argument, expression) };
  if (kind === 'at') return { kind, atMs: parseTime(argument, expression) };
  if (kind === 'cron') return { kind, fields: parseCron(argument, expression) };
  throw new Error(`expected rate(…), at(…) or cron(…), got ${expression}`);
}

/** The first run after `afterMs`, if there is one. A rate runs at its start and then every so often. */
export function nextRun(timing: Timing, startMs: number, afterMs: number): number | undefined {
  if (timing.kind === 'cron') return nextCronRun(timing.fields, afterMs);
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

function parseCron(argument: string, expression: string): CronFields {
  const [minutes, hours, daysOfMonth, months, daysOfWeek, years, ...more] = argument.split(' ');
  if (years === undefined || more.length > 0)
    throw new Error(`expected cron with six fields, got ${expression}`);
  if ((daysOfMonth === '?') === (daysOfWeek === '?')) {
    throw new Error(`expected ? as day of the month or as day of the week, got ${expression}`);
  }
  return {
    minutes: parseField(minutes, { min: 0, max: 59 }, expression),
    hours: parseField(hours, { min: 0, max: 23 }, expression),
    daysOfMonth: daysOfMonth === '?' ? undefined : parseField(daysOfMonth, { min: 1, max: 31 }, expression),
    months: parseField(months, { min: 1, max: 12, names: MONTHS }, expression),
    daysOfWeek:
      daysOfWeek === '?' ? undefined : parseField(daysOfWeek, { min: 1, max: 7, names: DAYS }, expression),
    years: parseField(years, { min: 1970, max: 2199 }, expression),
  };
}

/** A list of `*`, `5`, `1-5`, `0/15`, `*` + `/2` or `MON-FRI`. */
function parseField(field = '', range: Range, expression: string): number[] {
  const values = field.split(',').flatMap((part) => {
    const [, first = '', last, step] = /^(\*|\w+)(?:-(\w+))?(?:\/([1-9]\d*))?$/.exec(part) ?? [];
    const from = first === '*' ? range.min : numberOf(first, range);
    const to = last !== undefined ? numberOf(last, range) : first === '*' || step ? range.max : from;
    if (!(from >= range.min && from <= to && to <= range.max)) {
      throw new Error(
        `expected numbers from ${range.min} to ${range.max}, lists, ranges and steps (L, W and # are not supported ` +
          `locally), got ${part} in ${expression}`,
      );
    }
    return stepsFrom(from, to, Number(step ?? 1));
  });
  return [...new Set(values)].sort((a, b) => a - b);
}

function numberOf(text: string, { min, names = [] }: Range): number {
  const index = names.indexOf(text.toUpperCase());
  if (index >= 0) return min + index;
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

function stepsFrom(from: number, to: number, step: number): number[] {
  const values: number[] = [];
  for (let value = from; value <= to; value += step) values.push(value);
  return values;
}

function nextCronRun(fields: CronFields, afterMs: number): number | undefined {
  const firstDay = afterMs - (afterMs % DAY_MS);
  for (let day = firstDay; day < firstDay + CRON_DAYS_MAX * DAY_MS; day += DAY_MS) {
    if (!isDayOf(fields, new Date(day))) continue;
    for (const hour of fields.hours) {
      for (const minute of fields.minutes) {
        const time = day + hour * HOUR_MS + minute * MINUTE_MS;
        if (time > afterMs) return time;
      }
    }
  }
  return undefined;
}

const isDayOf = ({ years, months, daysOfMonth, daysOfWeek }: CronFields, day: Date): boolean =>
  years.includes(day.getUTCFullYear()) &&
  months.includes(day.getUTCMonth() + 1) &&
  (daysOfMonth === undefined || daysOfMonth.includes(day.getUTCDate())) &&
  (daysOfWeek === undefined || daysOfWeek.includes(day.getUTCDay() + 1));
