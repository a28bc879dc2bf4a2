import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRecord } from '../../../shared/protocol/json.ts';
import { stateProblem } from '../state/problem.ts';
import { writeWhole } from '../state/whole.ts';
import type { Version, Versions } from './versions.ts';

/** What is kept of a secret. */
export interface KeptSecret {
  /** Of what the template said of its value: another one makes a new version, as a deployment does. */
  readonly originHash: string;
  readonly createdAtMs: number;
  readonly versions: Versions;
}

/** By name. */
export type KeptSecrets = ReadonlyMap<string, KeptSecret>;

/** Where secrets are between runs: a file for their owner's eyes in the data directory, or nowhere. */
export class SecretStore {
  readonly #dataDir: string | undefined;
  readonly #file: string;

  constructor(dataDir: string | undefined) {
    this.#dataDir = dataDir;
    this.#file = join(dataDir ?? '', 'secrets.json');
  }

  read(): KeptSecrets {
    if (this.#dataDir === undefined) return new Map();
    try {
      return this.#parse(readFileSync(this.#file, 'utf8'));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return new Map();
      throw code === undefined ? error : stateProblem(this.#file, this.#dataDir, error);
    }
  }

  /** All of them, and those that the template has no more. They are on disk when this returns. */
  write(secrets: KeptSecrets): void {
    if (this.#dataDir === undefined) return;
    writeWhole(this.#file, JSON.stringify(Object.fromEntries(secrets)));
  }

  #parse(text: string): KeptSecrets {
    const kept = parseJson(text);
    const entries = isRecord(kept) ? Object.entries(kept) : [];
    if (isRecord(kept) && entries.every(([, secret]) => isKept(secret))) {
      return new Map(entries as [string, KeptSecret][]);
    }
    // What it holds instead is not shown: it may well be secret.
    throw new Error(
      `expected secrets in ${this.#file}, got something else: remove that file to get new ones`,
    );
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // told by who asked
  }
}

const isKept = (value: unknown): value is KeptSecret =>
  isRecord(value) &&
  typeof value.originHash === 'string' &&
  typeof value.createdAtMs === 'number' &&
  Array.isArray(value.versions) &&
  value.versions.every(isVersion);

const isVersion = (value: unknown): value is Version =>
  isRecord(value) &&
  typeof value.id === 'string' &&
  typeof value.createdAtMs === 'number' &&
  isRecord(value.value) &&
  typeof (value.value.SecretString ?? value.value.SecretBinary) === 'string' &&
  Array.isArray(value.stages) &&
  value.stages.every((stage) => typeof stage === 'string');
