import { RequestError } from '../http/engine.ts';
import type { SecretValue } from './versions.ts';

type Input = Readonly<Record<string, unknown>>;

/** AWS's own have their text in `Message`. */
export const refusal = (type: string, message: string): RequestError =>
  new RequestError(type, message, 400, {}, { Message: message });

const invalid = (message: string): RequestError => refusal('InvalidParameterException', message);

/** Limits of the API reference; those of values in bytes, the others in characters. */
const VALUE_BYTES_MAX = 65_536;
const TOKEN_PATTERN = /^.{32,64}$/s;
const STAGES_MAX = 20;
const STAGE_PATTERN = /^.{1,256}$/s;

export function parseSecretId({ SecretId }: Input): string {
  if (typeof SecretId === 'string' && SecretId !== '') return SecretId;
  const value = SecretId === undefined ? 'null' : "''";
  throw refusal(
    'ValidationException',
    `1 validation error detected: Value ${value} at 'secretId' failed to satisfy constraint: expected a text`,
  );
}

export function parseOptional(input: Input, name: 'VersionId' | 'VersionStage'): string | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw invalid(`expected ${name} to be a text`);
}

/** No message has anything of the value. */
export function parseValue({ SecretString = null, SecretBinary = null }: Input): SecretValue {
  if (SecretString !== null && SecretBinary !== null) {
    throw invalid(
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    );
  }
  if (SecretString === null && SecretBinary === null) {
    throw refusal('InvalidRequestException', 'You must provide either SecretString or SecretBinary.');
  }
  const value = SecretString ?? SecretBinary;
  if (typeof value !== 'string') throw invalid('expected the value of a secret to be a text');
  const bytes = SecretString === null ? Buffer.from(value, 'base64').length : Buffer.byteLength(value);
  if (bytes === 0 || bytes > VALUE_BYTES_MAX) {
    throw invalid(`expected the value of a secret to have 1 to ${VALUE_BYTES_MAX} bytes, got ${bytes}`);
  }
  return SecretString === null ? { SecretBinary: value } : { SecretString: value };
}

/** The id of the new version, if the caller has one: then trying again does nothing. */
export function parseToken({ ClientRequestToken: token = null }: Input): string | undefined {
  if (token === null) return undefined;
  if (typeof token === 'string' && TOKEN_PATTERN.test(token)) return token;
  throw invalid('ClientRequestToken must be 32-64 characters long.');
}

export function parseStages({ VersionStages: stages = null }: Input): readonly string[] | undefined {
  if (stages === null) return undefined;
  const isList = Array.isArray(stages) && stages.length > 0 && stages.length <= STAGES_MAX;
  if (isList && stages.every((stage) => typeof stage === 'string' && STAGE_PATTERN.test(stage))) {
    return [...new Set(stages as string[])];
  }
  throw invalid(`expected VersionStages to be 1 to ${STAGES_MAX} labels of 1 to 256 characters`);
}
