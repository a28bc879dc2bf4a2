import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { TransportName } from '../aws/transports.ts';
import { createRevocations } from '../data/revocations.ts';
import type { RetryClock } from '../retry.ts';
import { createAuthenticate } from './access.ts';
import { createAccessClients } from './clients.ts';
import { createTakeToken, type TakeToken } from './own-token.ts';
import { parseAuth } from './settings.ts';

export interface GrantConfig {
  readonly transport: TransportName;
  /** The ARN of the secret, or `none`. */
  readonly grantsSecret: string;
  readonly audience: string;
  readonly accessTable: string;
}

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
