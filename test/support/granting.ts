import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Ready } from '../../infra/local/ready.ts';
import { type GrantOptions, grant } from '../../shared/auth/grants.ts';
import { Client } from './client.ts';

/** What a back end needs that signs grants. */
export interface Granting {
  /** Good for an hour from `atMs`, unless it is said otherwise. */
  tokenFor(userId: string, more?: Partial<GrantOptions>, atMs?: number): Promise<string>;
  /** A connection of that user. */
  openAs(userId: string, more?: Partial<GrantOptions>): Promise<Client>;
  openWith(token: string): Promise<Client>;
}

/** Anonymous connections have to be let in: one says for which API grants are. */
export async function grantingFor(ready: Ready): Promise<Granting> {
  const { endpoint, region, accessKeyId, secretAccessKey, secrets, websocketUrl } = ready;
  const secretsManager = new SecretsManagerClient({
    ...{ endpoint, region },
    credentials: { accessKeyId, secretAccessKey },
  });
  const [SecretId] = Object.values(secrets);
  const { SecretString: secret = '' } = await secretsManager.send(new GetSecretValueCommand({ SecretId }));
  const anonymous = await Client.open(websocketUrl);
  const { endpoint: audience } = await anonymous.ask({ action: 'whoami' });
  await anonymous.close();
  const tokenFor: Granting['tokenFor'] = (userId, more = {}, atMs = Date.now()) =>
    grant({ userId, rights: {}, expiresIn: 3_600, ...more } as GrantOptions, {
      ...{ secret, audience },
      now: () => atMs,
    });
  const openWith: Granting['openWith'] = (token) => Client.open(websocketUrl, ['fanwire', `bearer.${token}`]);
  return {
    tokenFor,
    openWith,
    openAs: async (userId, more) => openWith(await tokenFor(userId, more)),
  };
}
