import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import type { GrantSecrets } from './grants.ts';

/** Both secrets that are valid: after a rotation the one before it is the previous one. */
export async function readSecrets(client: SecretsManagerClient, secretArn: string): Promise<GrantSecrets> {
  const read = async (VersionStage: string): Promise<string | undefined> =>
    (await client.send(new GetSecretValueCommand({ SecretId: secretArn, VersionStage }))).SecretString;
  const [current, previous] = await Promise.all([
    read('AWSCURRENT'),
    read('AWSPREVIOUS').catch(noSuchVersion),
  ]);
  if (current === undefined) throw new Error('expected a secret of text, got a binary one');
  return { current, ...(previous !== undefined && { previous }) };
}

/** It has not been rotated yet. */
function noSuchVersion(error: unknown): undefined {
  if (!(error instanceof ResourceNotFoundException)) throw error;
}
