import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createRevocations } from '../data/revocations.ts';
import type { RetryClock } from '../retry.ts';
import { createAuthenticate } from './access.ts';
import { createAccessClients } from './clients.ts';
import type { GrantConfig } from './grant-clients.ts';
import { createTakeToken, type TakeToken } from './own-token.ts';
import { parseAuth } from './settings.ts';

/**
 * Takes grants for one command. In a module of its own, so that jose and one more client of the SDK are loaded when the
 * first grant comes: most environments of a route never get one.
 */
export function createTakeGrant(
  { transport, grantsSecret, audience, accessTable }: GrantConfig,
  dynamodb: DynamoDBClient,
  clock: RetryClock,
): TakeToken {
  // What the settings give to everybody is no grant.
  const auth = parseAuth({ grants: grantsSecret !== 'none' });
  const deps = { ...createAccessClients(transport, grantsSecret), audience, now: clock.now };
  return createTakeToken(createAuthenticate(auth, deps), createRevocations(dynamodb, accessTable, clock));
}
