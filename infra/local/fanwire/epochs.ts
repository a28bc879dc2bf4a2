import { isDeepStrictEqual } from 'node:util';
import { isHead, TABLES } from '../../../shared/data/tables.ts';
import type { TableDefinition, Tables } from '../dynamodb/tables.ts';

/** Of Fanwire's table of topics, whatever it is called in the app. */
const TOPIC_KEYS = Object.keys(TABLES.topics.keys);

/**
 * For tables that may lack what was written last: ends the log of every topic, so that the next message begins another
 * epoch. In the same one, offsets that clients have seen would be given out a second time.
 */
export async function endLogs(
  tables: Pick<Tables, 'deleteItems'>,
  definitions: readonly TableDefinition[],
): Promise<void> {
  for (const definition of definitions) {
    const keys = definition.KeySchema.map(({ AttributeName }) => AttributeName);
    if (isDeepStrictEqual(keys, TOPIC_KEYS)) await tables.deleteItems(definition, isHead);
  }
}
