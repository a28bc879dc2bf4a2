import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config, Setting } from '../lambda/config.ts';
import { SETTINGS_FILES } from '../lambda/variables.ts';
import {
  type AuthSettings,
  type CompleteAuth,
  parseAuth,
  parseIssuers,
  type TrustedIssuer,
} from './settings.ts';

/** Written by the template, so its shape is trusted; whether it makes sense, both parts together say. */
const auth: Setting<AuthSettings> = {
  name: 'LAMBDA_TASK_ROOT',
  parse: (root) => JSON.parse(readFileSync(join(root, SETTINGS_FILES.AUTH), 'utf8')),
};

/** Those of which only the deployment knows the names, so that they are not in the file. */
const issuers: Setting<readonly TrustedIssuer[]> = {
  name: 'ISSUERS',
  parse: (text) => parseIssuers(JSON.parse(text)),
};

/** Who may connect, in two parts. */
export const authSettings = { auth, issuers } as const;

export const authOf = ({ auth: file, issuers: others }: Config<typeof authSettings>): CompleteAuth =>
  parseAuth({ ...file, issuers: [...(file.issuers ?? []), ...others] });
