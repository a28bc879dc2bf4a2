import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { createClient } from '../aws/sdk/clients.ts';
import type { TransportName } from '../aws/transports.ts';
import { logger } from '../lambda/logger.ts';
import type { AccessDeps } from './access.ts';
import { readSecrets } from './secrets.ts';

/** What whoever verifies tokens asks for keys, and tells of what went wrong with that. */
export type AccessClients = Pick<AccessDeps, 'fetch' | 'deadline' | 'report' | 'secrets'>;

export function createAccessClients(transport: TransportName, grantsSecret: string): AccessClients {
  const secretsManager = createClient(transport, SecretsManagerClient);
  return {
    fetch,
    deadline: (ms) => AbortSignal.timeout(ms),
    report: (problem, error) => logger.warn(problem, error as Error),
    secrets: () => readSecrets(secretsManager, grantsSecret),
  };
}
