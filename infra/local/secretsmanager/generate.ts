import { isRecord } from '../../../shared/protocol/json.ts';

/** Gives a whole number from 0 up to, and not including, `max`: each as likely as any other. */
export type RandomInt = (max: number) => number;

/** Of a template: how a value is to be made up. */
export interface GenerateProperties {
  readonly PasswordLength?: number | string;
  readonly ExcludeCharacters?: string;
  readonly ExcludeLowercase?: boolean | string;
  readonly ExcludeUppercase?: boolean | string;
  readonly ExcludeNumbers?: boolean | string;
  readonly ExcludePunctuation?: boolean | string;
  readonly IncludeSpace?: boolean | string;
  readonly RequireEachIncludedType?: boolean | string;
  readonly SecretStringTemplate?: string;
  readonly GenerateStringKey?: string;
}

const LENGTH_DEFAULT = 32;
const LENGTH_MAX = 4096;

const LOWERCASE = 'abcdefghijklmnopqrstuvwxyz';
const NUMBERS = '0123456789';
/** As the API reference has it, "GetRandomPassword". */
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';

/** A password, or the JSON of the template with a password in it. Messages tell nothing of what is in a template. */
export function generateSecretString(properties: GenerateProperties, randomInt: RandomInt): string {
  const { SecretStringTemplate: template, GenerateStringKey: key } = properties;
  const password = generatePassword(properties, randomInt);
  if (template === undefined && key === undefined) return password;
  if (template === undefined || key === undefined) {
    throw new Error('expected SecretStringTemplate and GenerateStringKey, got one without the other');
  }
  return JSON.stringify({ ...parseTemplate(template), [key]: password });
}

function generatePassword(properties: GenerateProperties, randomInt: RandomInt): string {
  const length = Number(properties.PasswordLength ?? LENGTH_DEFAULT);
  const kinds = kindsOf(properties);
  const required = isTrue(properties.RequireEachIncludedType ?? true) ? kinds : [];
  const lengthMin = Math.max(1, required.length);
  if (!Number.isInteger(length) || length < lengthMin || length > LENGTH_MAX) {
    throw new Error(
      `expected PasswordLength to be from ${lengthMin} to ${LENGTH_MAX}, got ${properties.PasswordLength}`,
    );
  }
  const pick = (characters: string): string => characters.charAt(randomInt(characters.length));
  const all = kinds.join('');
  const others = Array.from({ length: length - required.length }, () => pick(all));
  return shuffle([...required.map(pick), ...others], randomInt).join('');
}

/** The characters of each kind that a password may have; a kind of which none is left is none. */
function kindsOf(properties: GenerateProperties): string[] {
  const { ExcludeCharacters = '' } = properties;
  const kinds = [
    isTrue(properties.ExcludeLowercase) ? '' : LOWERCASE,
    isTrue(properties.ExcludeUppercase) ? '' : LOWERCASE.toUpperCase(),
    isTrue(properties.ExcludeNumbers) ? '' : NUMBERS,
    isTrue(properties.ExcludePunctuation) ? '' : PUNCTUATION,
    isTrue(properties.IncludeSpace) ? ' ' : '',
  ].map((kind) => [...kind].filter((character) => !ExcludeCharacters.includes(character)).join(''));
  const left = kinds.filter((kind) => kind !== '');
  if (left.length === 0) throw new Error('expected a character that a password may have, got none');
  return left;
}

/** So that nobody knows where a required character is (Fisher and Yates). */
function shuffle(characters: string[], randomInt: RandomInt): string[] {
  for (let last = characters.length - 1; last > 0; last--) {
    const other = randomInt(last + 1);
    [characters[last], characters[other]] = [characters[other] as string, characters[last] as string];
  }
  return characters;
}

function parseTemplate(template: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(template);
  } catch {
    // The parser's own message has what it stopped at.
  }
  if (isRecord(value)) return value;
  throw new Error('expected SecretStringTemplate to be a JSON object, got something else');
}

/** CloudFormation takes both forms. */
const isTrue = (value: unknown): boolean => String(value) === 'true';
