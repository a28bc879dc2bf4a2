import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRecord } from '../../shared/protocol/json.ts';
import { makeDirectory } from './state/directory.ts';
import { stateProblem } from './state/problem.ts';
import { writeWhole } from './state/whole.ts';

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
    const kept = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
    if (kept !== undefined) return parse(kept, file);
    const credentials = createAccessKey();
    makeDirectory(dataDir);
    writeWhole(file, JSON.stringify(credentials));
    return credentials;
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === undefined ? error : stateProblem(file, dataDir, error);
  }
}

function parse(text: string, file: string): AccessKey {
  const { accessKeyId, secretAccessKey } = parseRecord(text);
  if (isText(accessKeyId, KEY_ID) && isText(secretAccessKey, SECRET)) return { accessKeyId, secretAccessKey };
  // What it holds instead is not shown: half of it may be the secret.
  throw new Error(`expected an access key in ${file}, got something else: remove that file to get a new one`);
}

/** What a signature can be made with: the id of a key is a part of it, between slashes. */
const KEY_ID = /^\w+$/;
const SECRET = /^\S+$/;

const isText = (value: unknown, form: RegExp): value is string =>
  typeof value === 'string' && form.test(value);

function parseRecord(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {}; // told by who asked
  }
}
