import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A key id and its secret: the lasting kind of credentials. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Credentials of a role for a while, as `sts:AssumeRole` gives them. */
export interface SessionCredentials extends AccessKey {
  readonly sessionToken: string;
}

/** Forms as on AWS: a key id of 20 characters, whose first four tell its kind, and a secret of 40. */
const create = (kind: 'AKIA' | 'ASIA'): AccessKey => ({
  accessKeyId: `${kind}${randomBytes(8).toString('hex').toUpperCase()}`,
  secretAccessKey: randomBytes(30).toString('base64'),
});

export const createAccessKey = (): AccessKey => create('AKIA');

export const createSessionCredentials = (): SessionCredentials => ({
  ...create('ASIA'),
  sessionToken: randomBytes(48).toString('base64'),
});

/** The root user's key, for use from outside. It is kept in the data directory, so it outlives a restart. */
export function keepAccessKey(dataDir: string): AccessKey {
  const file = join(dataDir, 'credentials.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as AccessKey;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const credentials = createAccessKey();
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(file, JSON.stringify(credentials), { mode: 0o600 });
  return credentials;
}
