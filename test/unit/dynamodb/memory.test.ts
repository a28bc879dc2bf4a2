import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import '../../../infra/local/dynamodb/dynalite.ts';

it('keeps texts in memory, whatever was loaded first', () => {
  const { create } = createRequire(import.meta.url)('dynalite/db');
  const { encodings } = create({}).db.supports;
  expect(encodings).toMatchObject({ utf8: true });
  expect(encodings.buffer).toBeFalsy();
});
