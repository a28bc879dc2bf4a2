import { createAuthenticate } from '../../shared/auth/access.ts';
import type { AccessClients } from '../../shared/auth/clients.ts';
import { authOf, authSettings } from '../../shared/auth/config.ts';
import { createGuard } from '../../shared/auth/guard.ts';
import { createTakeToken } from '../../shared/auth/own-token.ts';
import type { Clients } from '../../shared/aws/sdk/clients.ts';
import { createConnections } from '../../shared/data/connections.ts';
import { createRevocations } from '../../shared/data/revocations.ts';
import { createSubscriptions } from '../../shared/data/subscriptions.ts';
import type { Clock } from '../../shared/lambda/clock.ts';
import { type Config, namespaces, text } from '../../shared/lambda/config.ts';
import { assembleLimits, limitSettings } from '../../shared/limits/assemble.ts';
import type { LimitedDeps } from '../../shared/limits/limits.ts';
import type { AuthenticateFrame } from '../../shared/protocol/parse.ts';
import { createClosings } from '../../shared/queues/closings.ts';
import type { AuthenticateDeps } from './authenticate.ts';

/** The environment variables that it takes. */
export const settings = {
  connectionsTable: text('CONNECTIONS_TABLE'),
  subscriptionsTable: text('SUBSCRIPTIONS_TABLE'),
  closingQueueUrl: text('CLOSING_QUEUE_URL'),
  audience: text('CALLBACK_URL'),
  ...authSettings,
  namespaces,
  ...limitSettings,
};

interface AuthenticateClients extends Pick<Clients, 'dynamodb'>, AccessClients {
  /** Called when it is needed: for a token that ends soon. */
  readonly late: () => Promise<Pick<Clients, 'sqs'>>;
}

/** Makes what `authenticate` needs. */
export function assemble(
  config: Config<typeof settings>,
  { late, ...clients }: AuthenticateClients,
  clock: Clock,
): AuthenticateDeps & LimitedDeps<AuthenticateFrame> {
  const { dynamodb } = clients;
  const { namespaces, audience } = config;
  const { now } = clock;
  const connections = createConnections(dynamodb, config.connectionsTable, now);
  return {
    connections,
    subscriptions: createSubscriptions(dynamodb, config.subscriptionsTable, clock),
    takeToken: createTakeToken(
      createAuthenticate(authOf(config), { ...clients, audience, now }),
      createRevocations(dynamodb, config.accessTable, clock),
    ),
    closings: {
      closeAt: async (...end) =>
        createClosings((await late()).sqs, config.closingQueueUrl, now).closeAt(...end),
    },
    guard: createGuard({ authorization: 'required', connections, namespaces, now }),
    now,
    limits: assembleLimits(config, async () => ({ dynamodb }), clock),
  };
}
