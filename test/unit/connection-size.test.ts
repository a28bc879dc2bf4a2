import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import { completeSettings } from '../../infra/settings.ts';
import { contextOf } from '../../shared/auth/context.ts';
import { parseJwt, tokenIdOf } from '../../shared/auth/jwt.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { SHARDS_MAX } from '../../shared/data/shards.ts';
import type { Rights } from '../../shared/protocol/rights.ts';
import { parsePattern } from '../../shared/protocol/topic.ts';
import { MemoryDynamoDB } from '../memory/dynamodb.ts';
import { CLAIMS, signingKey } from '../support/issuer.ts';

const ITEM_BYTES_MAX = 400 * 1024;
const SUBSCRIPTIONS_MAX = 1_000;
const NOW_MS = Date.UTC(2026, 10, 20);

/** As DynamoDB counts (Developer Guide, "DynamoDB item sizes and formats"). */
function bytesOf(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  if (value.N !== undefined) return Math.ceil(value.N.length / 2) + 1;
  if (value.M !== undefined) return 3 + bytesOfAll(value.M, 1);
  throw new Error(`expected a text, a number or a map, got ${JSON.stringify(value)}`);
}
const bytesOfAll = (attributes: Readonly<Record<string, AttributeValue>>, each: number): number =>
  Object.entries(attributes).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + bytesOf(value) + each,
    0,
  );

/** Whatever the issuer has written into it. */
function longestTokenId(): string {
  const token = parseJwt(signingKey('key').sign());
  const ids = Array.from({ length: 300 }, (_, n) => tokenIdOf(token, { ...CLAIMS, jti: 'x'.repeat(n) }));
  return ids.reduce((longest, id) => (id.length > longest.length ? id : longest));
}

/** Of those that a connection may have. */
function largestRights(): Rights {
  const rights: Record<string, readonly ['subscribe']> = {};
  for (let n = 0; ; n++) {
    const more = { ...rights, [`${n}`.padStart(60, 'x')]: ['subscribe'] as const };
    try {
      contextOf({ rights: more });
    } catch {
      return rights;
    }
    Object.assign(rights, more);
  }
}

it('a connection fits its item with all that the bounds of the settings allow', async () => {
  expect(() => completeSettings({ subscriptionsPerConnectionMax: SUBSCRIPTIONS_MAX + 1 })).toThrow(
    `from 1 to ${SUBSCRIPTIONS_MAX}`,
  );
  const tables = new MemoryDynamoDB();
  const connections = createConnections(tables.client(), 'connections', () => NOW_MS);
  const token = { tokenId: longestTokenId(), issuedAtMs: NOW_MS + 999 };
  const [connectionId, userId] = ['c'.repeat(128), 'u'.repeat(128)];
  await connections.open({ connectionId, userId, connectedAtMs: NOW_MS, ...token });
  await connections.renew(connectionId, { ...token, rights: largestRights(), expiresAtMs: NOW_MS + 999 });
  for (let n = 0; n < SUBSCRIPTIONS_MAX; n++) {
    const pattern = parsePattern(`${n}`.padStart(128, 'x'));
    const end = { atMs: NOW_MS + 999, grant: token };
    await connections.addSubscription(connectionId, pattern, SHARDS_MAX - 1, SUBSCRIPTIONS_MAX, end);
  }
  const [item] = tables.items('connections');
  expect(Object.keys(item?.ends?.M ?? {})).toHaveLength(SUBSCRIPTIONS_MAX);
  const bytes = bytesOfAll(item ?? {}, 0);
  expect(bytes).toBeGreaterThan(ITEM_BYTES_MAX / 2);
  expect(bytes).toBeLessThan(ITEM_BYTES_MAX);
});
