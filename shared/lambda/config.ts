import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TRANSPORTS, type TransportName } from '../aws/transports.ts';
import { type CompleteLimits, parseLimits } from '../protocol/limits.ts';
import { type Namespaces, parseNamespaces } from '../protocol/namespaces.ts';
import { type LambdaVariable, SETTINGS_FILES, type Variable } from './variables.ts';

type Env = Readonly<Record<string, string | undefined>>;
type Name = Variable | LambdaVariable;
export interface Setting<T> {
  readonly name: Name;
  /** Throws with what it expected. */
  readonly parse: (value: string) => T;
}
type Settings = Readonly<Record<string, Setting<unknown>>>;
/** What `loadConfig` makes of settings. */
export type Config<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never;
};

export const text = (name: Name): Setting<string> => ({ name, parse: (value) => value });

export const positiveInteger = (name: Name): Setting<number> => ({
  name,
  parse: (value) => {
    if (!/^[1-9]\d{0,8}$/.test(value)) throw new Error(`expected a positive integer, got ${value}`);
    return Number(value);
  },
});

/** Read once, while the environment starts, from beside the code, which `LAMBDA_TASK_ROOT` leads to. */
export const namespaces: Setting<Namespaces> = {
  name: 'LAMBDA_TASK_ROOT',
  parse: (root) => parseNamespaces(readFileSync(join(root, SETTINGS_FILES.NAMESPACES), 'utf8')),
};

/** Whether connections have an authorizer, which says what they may do. */
export type Authorization = 'required' | 'none';

const oneOf = <T extends string>(name: Name, values: readonly T[]): Setting<T> => ({
  name,
  parse: (value) => {
    const found = values.find((each) => each === value);
    if (found === undefined) throw new Error(`expected one of ${values.join(', ')}, got ${value}`);
    return found;
  },
});

/** How the Lambda calls AWS. */
export const transport: Setting<TransportName> = oneOf('TRANSPORT', TRANSPORTS);

export const authorization: Setting<Authorization> = oneOf('AUTHORIZATION', ['required', 'none']);

/** What clients may use up. */
export const limits: Setting<CompleteLimits> = { name: 'LIMITS', parse: parseLimits };

/** Reads every setting, or throws one error that names all that are missing or wrong. */
export function loadConfig<S extends Settings>(env: Env, settings: S): Config<S> {
  const problems: string[] = [];
  const read = ({ name, parse }: Setting<unknown>): unknown => {
    const value = env[name];
    if (!value) return void problems.push(`${name} is missing`);
    try {
      return parse(value);
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : error}`);
    }
  };
  const config = Object.fromEntries(Object.entries(settings).map(([key, setting]) => [key, read(setting)]));
  if (problems.length > 0) throw new Error(`Bad configuration: ${problems.join('; ')}`);
  return config as Config<S>;
}
