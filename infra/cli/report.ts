import type { Alternative } from '../model/alternatives.ts';
import type { Bill } from '../model/bill.ts';
import { PRICES_AS_OF, PRICES_REGION, type Prices } from '../model/prices.ts';
import { STAGES } from '../model/stages.ts';

/** Lays out rows of equally many cells, the first column aligned to the left and the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

/** A number with three significant digits, or all those before the point if they are more. */
export function digits(value: number): string {
  if (value === 0) return '0';
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const [whole = '', fraction] = value.toFixed(Math.min(decimals, 12)).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

export const dollars = (value: number): string => `$${digits(value)}`;

export function reportBill(bill: Bill, prices: Prices): string {
  const rows = bill.lines
    .toSorted(
      (one, other) => STAGES.indexOf(one.stage) - STAGES.indexOf(other.stage) || other.dollars - one.dollars,
    )
    .map(({ stage, resource, price, units, dollars: cost }) => [
      stage,
      resource,
      `${digits(units)} ${prices[price].unit}`,
      dollars(cost),
    ]);
  const stages = STAGES.filter((stage) => bill.byStage[stage] > 0).map((stage) => [
    stage,
    dollars(bill.byStage[stage]),
    perMillion(bill.byStage[stage], bill.deliveries),
  ]);
  const all = ['all', dollars(bill.dollars), perMillion(bill.dollars, bill.deliveries)];
  return [
    table([['stage', 'resource', 'operations', 'cost'], ...rows]),
    table([['stage', 'cost', 'per million deliveries'], ...stages, all]),
    `${digits(bill.deliveries)} deliveries; publish, fan out and deliver cost ` +
      `${dollars(bill.dollarsPerMillionDeliveries)} a million of them.`,
    `List prices of ${PRICES_REGION} on ${PRICES_AS_OF}, without free tiers and data transfer: infra/model/prices.ts.`,
  ].join('\n\n');
}

export function reportAlternatives(bill: Bill, alternatives: readonly Alternative[]): string {
  const rows = [{ name: 'Fanwire', ...bill }, ...alternatives].map(
    ({ name, dollars: cost, dollarsPerMillionDeliveries }) => [
      name,
      dollars(cost),
      dollars(dollarsPerMillionDeliveries),
      ratio(dollarsPerMillionDeliveries, bill.dollarsPerMillionDeliveries),
    ],
  );
  return table([['the same work', 'all', 'a million deliveries', 'to Fanwire'], ...rows]);
}

const perMillion = (cost: number, deliveries: number): string =>
  deliveries > 0 ? dollars((cost / deliveries) * 1_000_000) : '';

const ratio = (one: number, other: number): string => (other > 0 ? `${(one / other).toFixed(2)}×` : '');
