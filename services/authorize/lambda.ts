import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { createClient } from '../../shared/aws/sdk/clients.ts';
import { authorizer } from '../../shared/lambda/authorizer.ts';
import { systemClock } from '../../shared/lambda/clock.ts';
import { loadConfig, text, transport } from '../../shared/lambda/config.ts';
import { logger } from '../../shared/lambda/logger.ts';
import { assemble, settings } from './assemble.ts';
import { authorize } from './authorize.ts';
import { readSecrets } from './secrets.ts';

const config = loadConfig(process.env, { ...settings, transport, grantsSecret: text('GRANTS_SECRET') });
const secretsManager = createClient(config.transport, SecretsManagerClient);
const clients = {
  fetch,
  deadline: (ms: number) => AbortSignal.timeout(ms),
  report: (problem: string, error: unknown) => logger.warn(problem, error as Error),
  secrets: () => readSecrets(secretsManager, config.grantsSecret),
};
const deps = assemble(config, clients, systemClock);

export const handler = authorizer((event) => authorize(event, deps));
