import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type GenerateProperties,
  generateSecretString,
} from '../../../infra/local/secretsmanager/generate.ts';

const generate = (properties: GenerateProperties = {}): string => generateSecretString(properties, randomInt);
/** Enough of them that what may happen has happened. */
const many = (properties: GenerateProperties): string[] =>
  Array.from({ length: 300 }, () => generate(properties));

describe('a password', () => {
  it('has 32 characters of every kind, and no two are alike', () => {
    const passwords = many({});
    expect(new Set(passwords).size).toBe(passwords.length);
    for (const password of passwords) {
      expect(password).toMatch(/^[!-~]{32}$/);
      for (const kind of [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/]) expect(password).toMatch(kind);
    }
    expect(new Set(passwords.join('')).size).toBe(94);
  });

  it.each<[GenerateProperties, RegExp]>([
    [{ PasswordLength: 4 }, /^[!-~]{4}$/],
    [{ PasswordLength: '64', ExcludePunctuation: 'true' }, /^[a-zA-Z\d]{64}$/],
    [{ ExcludeLowercase: true, ExcludeUppercase: true, ExcludePunctuation: true }, /^\d{32}$/],
    [
      { ExcludePunctuation: true, ExcludeNumbers: true, ExcludeUppercase: true, IncludeSpace: true },
      /^(?=.* )[a-z ]{32}$/,
    ],
    [{ ExcludeCharacters: '"\\/@' }, /^[^"\\/@]{32}$/],
    [{ ExcludeCharacters: '0123456789' }, /^\D{32}$/],
    [{ PasswordLength: 1, RequireEachIncludedType: false }, /^[!-~]$/],
  ])('is as %j asks for', (properties, form) => {
    for (const password of many(properties)) expect(password).toMatch(form);
  });

  it('begins with none of the kinds that it must have more often than others', () => {
    const first = many({ PasswordLength: 4 }).map((password) => password.charAt(0));
    for (const kind of [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/]) {
      expect(first.filter((character) => kind.test(character)).length).toBeGreaterThan(30);
    }
  });

  it('stands in a template, if there is one', () => {
    const SecretStringTemplate = '{"username":"admin","port":1}';
    const value = generate({ SecretStringTemplate, GenerateStringKey: 'password', PasswordLength: 8 });
    expect(JSON.parse(value)).toEqual({
      username: 'admin',
      port: 1,
      password: expect.stringMatching(/^.{8}$/),
    });
  });
});

it.each<[GenerateProperties, string]>([
  [{ PasswordLength: 3 }, 'expected PasswordLength to be from 4 to 4096, got 3'],
  [{ PasswordLength: 0, RequireEachIncludedType: false }, 'from 1 to 4096, got 0'],
  [{ PasswordLength: 4097 }, 'got 4097'],
  [{ PasswordLength: 'long' }, 'got long'],
  [
    { ExcludeLowercase: true, ExcludeUppercase: true, ExcludeNumbers: true, ExcludePunctuation: true },
    'expected a character that a password may have, got none',
  ],
  [{ GenerateStringKey: 'password' }, 'expected SecretStringTemplate and GenerateStringKey'],
  [{ SecretStringTemplate: '{}' }, 'expected SecretStringTemplate and GenerateStringKey'],
])('says what is wrong with %j', (properties, message) => {
  expect(() => generate(properties)).toThrow(message);
});

it.each(['[]', 'null', '{"password": "s3cret'])(
  'shows nothing of a template that is no object: %s',
  (text) => {
    const properties = { SecretStringTemplate: text, GenerateStringKey: 'k' };
    expect(() => generate(properties)).toThrow(
      /^expected SecretStringTemplate to be a JSON object, got something else$/,
    );
  },
);
