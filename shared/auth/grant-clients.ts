import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type Clients, createClient } from '../aws/sdk/clients.ts';
import { systemClock } from '../lambda/clock.ts';
import { type Config, text, transport } from '../lambda/config.ts';
import type { GrantClients } from './own-token.ts';

/** The environment variables that a route which takes grants has for that. */
export const grantSettings = {
  transport,
  /** The ARN of the secret, or `none`. */
  grantsSecret: text('GRANTS_SECRET'),
  audience: text('CALLBACK_URL'),
  accessTable: text('ACCESS_TABLE'),
};
export type GrantConfig = Config<typeof grantSettings>;

/** The clients of such a route. What verifies grants is loaded when the first one comes. */
export function createGrantClients(config: GrantConfig): Pick<Clients, 'dynamodb'> & GrantClients {
  const dynamodb = createClient(config.transport, DynamoDBClient);
  return {
    dynamodb,
    takeGrant: async () => {
      const { createTakeGrant } = await import('./late-grants.ts');
      return createTakeGrant(config, dynamodb, systemClock);
    },
  };
}
