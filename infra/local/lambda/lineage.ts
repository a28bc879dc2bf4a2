import { createHash } from 'node:crypto';

/**
 * The chain of invocations that has led to an event: by function, how often it has been invoked in it. Lambda writes
 * it into the trace header of an invocation, the AWS SDK sends that header with every call, SQS keeps it with the
 * message, and the invocation with that message goes on from there (Lambda guide, "Use Lambda recursive loop
 * detection to prevent infinite loops"). Events on a bus do not carry it.
 */
export type Lineage = ReadonlyMap<string, number>;

/** "Approximately 16 times", says the guide; "after exceeding 16 invocations", its announcement. */
export const CHAIN_MAX = 16;

export const NO_LINEAGE: Lineage = new Map();

/** Where a function stands in a lineage: how AWS makes these names nobody says. */
const nameOf = (functionArn: string): string =>
  createHash('sha256').update(functionArn).digest('hex').slice(0, 8);

/** The lineage with one more invocation of the function. */
export function extend(lineage: Lineage, functionArn: string): Lineage {
  const name = nameOf(functionArn);
  return new Map(lineage).set(name, (lineage.get(name) ?? 0) + 1);
}

export const timesIn = (lineage: Lineage, functionArn: string): number =>
  lineage.get(nameOf(functionArn)) ?? 0;

/** The field of a trace header, in the form that the X-Ray guide shows: `Lineage=a87bd80c:1|68fd508a:5`. */
export const toField = (lineage: Lineage): string =>
  `Lineage=${[...lineage].map(([name, count]) => `${name}:${count}`).join('|')}`;

/**
 * The lineage of a batch, from the trace headers of its messages. What AWS does with several nobody says; the longest
 * of each function is the strictest.
 */
export function lineageOf(traceHeaders: readonly (string | undefined)[]): Lineage {
  const longest = new Map<string, number>();
  for (const header of traceHeaders) {
    const [, field = ''] = /(?:^|;)\s*Lineage=([^;]*)/.exec(header ?? '') ?? [];
    for (const [, name = '', count] of field.matchAll(/([0-9a-f]+):(\d{1,6})/g)) {
      longest.set(name, Math.max(longest.get(name) ?? 0, Number(count)));
    }
  }
  return longest;
}
