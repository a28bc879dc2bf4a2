import type { Percentiles, Result } from './ledger.ts';
import { type LoadSettings, messagesOf } from './settings.ts';

/** Whether nothing was lost, nothing came twice and nothing went wrong. */
export const isClean = ({ lost, duplicated, errors }: Result): boolean =>
  lost === 0 && duplicated === 0 && Object.keys(errors).length === 0;

/** One readable table. */
export function reportOf(
  result: Result,
  settings: Pick<LoadSettings, 'clients' | 'rate' | 'durationSeconds'>,
): string {
  const planned = messagesOf(settings);
  const planNote = result.published < planned ? `, of ${count(planned)} planned` : '';
  const rows = {
    connected: `${count(result.connected)} of ${count(settings.clients)}`,
    subscribed: count(result.subscribed),
    published: count(result.published) + planNote,
    acknowledged: count(result.acknowledged),
    'expected deliveries': count(result.expected),
    received: count(result.received),
    lost: count(result.lost),
    duplicated: count(result.duplicated),
    'out of order': `${count(result.outOfOrder)} (information only)`,
    errors: errorsOf(result.errors),
    'publish to acknowledge': timesOf(result.toAcknowledge),
    'publish to receive': timesOf(result.toReceive),
  };
  const width = Math.max(...Object.keys(rows).map((name) => name.length));
  return Object.entries(rows)
    .map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)
    .join('\n');
}

const count = (value: number): string => value.toLocaleString('en-US');

function errorsOf(errors: Result['errors']): string {
  const counts = Object.entries(errors).map(([code, times]) => `${code} ${count(times)}`);
  return counts.join(', ') || 'none';
}

function timesOf(times: Percentiles | undefined): string {
  if (!times) return 'nothing to measure';
  const { p50, p95, p99, max } = times;
  return `p50 ${ms(p50)}  p95 ${ms(p95)}  p99 ${ms(p99)}  max ${ms(max)}  (ms)`;
}

const ms = (value: number): string => value.toFixed(1);
