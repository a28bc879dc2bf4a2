import { type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { type Revocation, TOKEN_AGE_MAX_SECONDS } from '../protocol/revocation.ts';
import type { RetryClock } from '../retry.ts';
import { getAll, ifConditionHolds, set } from './dynamo.ts';
import { expiryAfter } from './expiry.ts';
import { type RevocationItem, revocationKey } from './tables.ts';

/** A day longer than any token is taken: that is for clocks, and for connections that were opened just before. */
const REVOCATION_TTL_SECONDS = TOKEN_AGE_MAX_SECONDS + 86_400;

/** A token as it is told from others. One that says nothing of its time is as old as can be. */
interface IssuedToken {
  readonly userId: string;
  readonly tokenId?: string;
  readonly issuedAtMs?: number;
}

/** Tokens that are refused though they have not ended. */
export interface Revocations {
  /** Read consistently. */
  isRevoked(token: IssuedToken): Promise<boolean>;
  /** What was issued to a user until then, to the second, is refused from now on; or one token is, whenever it was issued. */
  revoke(revocation: Revocation, atMs: number): Promise<void>;
}

export function createRevocations(client: DynamoDBClient, table: string, clock: RetryClock): Revocations {
  return {
    async isRevoked({ userId, tokenId, issuedAtMs = 0 }) {
      const ofUser = revocationKey(userId);
      const keys = [ofUser, ...(tokenId === undefined ? [] : [revocationKey(userId, tokenId)])];
      const items = (await getAll(client, table, keys, clock)) as Partial<RevocationItem>[];
      return items.some(({ id, revokedAt }) => id?.S !== ofUser.id.S || issuedAtMs <= Number(revokedAt?.N));
    },

    async revoke({ userId, tokenId }, atMs) {
      await ifConditionHolds(
        client.send(
          new UpdateItemCommand({
            TableName: table,
            Key: revocationKey(userId, tokenId),
            UpdateExpression: set<RevocationItem>({ revokedAt: ':at', expiresAt: ':end' }),
            // Events come in any order, and more than once.
            ConditionExpression: 'attribute_not_exists(id) OR revokedAt < :at',
            ExpressionAttributeValues: {
              ':at': { N: String(atMs) },
              ':end': expiryAfter(REVOCATION_TTL_SECONDS, clock.now()),
            },
          }),
        ),
      );
    },
  };
}
