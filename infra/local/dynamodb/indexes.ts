import type { IndexDescription, TableDescription } from './dynalite.ts';

/** A write unit is 1 KB, and nothing is still one (DynamoDB guide, "Read/write capacity"). */
const WRITE_BYTES = 1024;

export type Item = Readonly<Record<string, unknown>>;

/**
 * What one write to a table costs in its global indexes (DynamoDB guide, "Provisioned throughput considerations for
 * global secondary indexes"): nothing where the projection stays as it is, two writes where its key changes.
 */
export function indexWriteUnits(table: TableDescription, before?: Item, after?: Item): number {
  const indexes = table.GlobalSecondaryIndexes ?? [];
  return indexes.reduce((units, index) => units + unitsOf(index, table, before, after), 0);
}

function unitsOf(index: IndexDescription, table: TableDescription, before?: Item, after?: Item): number {
  const removed = projected(index, table, before);
  const written = projected(index, table, after);
  if (!removed || !written) return sizeUnits(removed) + sizeUnits(written);
  if (areSame(removed, written)) return 0;
  const isMoved = index.KeySchema.some(
    ({ AttributeName }) => !areSame(removed[AttributeName], written[AttributeName]),
  );
  const both = [sizeUnits(removed), sizeUnits(written)] as const;
  return isMoved ? both[0] + both[1] : Math.max(...both);
}

/** The item as the index has it, if it has it. */
function projected(
  { KeySchema, Projection }: IndexDescription,
  table: TableDescription,
  item?: Item,
): Item | undefined {
  if (!item || KeySchema.some(({ AttributeName }) => item[AttributeName] === undefined)) return undefined;
  const keys = [...KeySchema, ...table.KeySchema].map(({ AttributeName }) => AttributeName);
  const some = new Set([...keys, ...(Projection.NonKeyAttributes ?? [])]);
  const names = Projection.ProjectionType === 'ALL' ? Object.keys(item).sort() : [...some];
  return Object.fromEntries(names.map((name) => [name, item[name]]));
}

/** As JSON, because dynalite's items have no prototype after an update. */
const areSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** The length of its JSON is a little more than DynamoDB counts; rows of an index are far below the first 1 KB. */
const sizeUnits = (item: Item | undefined): number =>
  item ? Math.max(1, Math.ceil(Buffer.byteLength(JSON.stringify(item)) / WRITE_BYTES)) : 0;
