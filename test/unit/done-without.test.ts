import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/**
 * What DynamoDB has and the local engine has not, so that nothing that passes here can be missing there. Throttling and
 * leftovers of batches, which dynalite never has by itself, come from faults on demand.
 */
const DONE_WITHOUT = {
  'transactions (UnknownOperationException locally)': /Transact(Write|Get)Items/,
  'the item that failed a condition (ignored locally)': /ReturnValuesOnConditionCheckFailure/,
  'PartiQL (UnknownOperationException locally)': /(Execute|BatchExecute)Statement/,
  'streams (refused at the start)': /StreamSpecification|stream: StreamViewType/,
  'UpdateTimeToLive (expiry is read from the template)': /UpdateTimeToLive/,
};

it.each(Object.entries(DONE_WITHOUT))('does without %s', (_, feature) => {
  const sources = globSync(['{services,shared}/**/*.ts', 'infra/*.ts'], { cwd: root });
  expect(sources.length).toBeGreaterThan(20);
  expect(sources.filter((file) => feature.test(readFileSync(join(root, file), 'utf8')))).toEqual([]);
});
