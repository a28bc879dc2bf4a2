import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createAuthenticate } from '../../../shared/auth/access.ts';
import { grant } from '../../../shared/auth/grants.ts';
import { parseAuth } from '../../../shared/auth/settings.ts';
import { webDeps } from '../../support/issuer.ts';

// What PROTOCOL.md says to back ends in other languages.
const protocol = readFileSync(join(import.meta.dirname, '../../../PROTOCOL.md'), 'utf8');
const [, section = ''] = /^### Grants\n(.*?)^### /ms.exec(protocol) ?? [];
const inExample = (name: string): string => new RegExp(`^${name} +(.+)$`, 'm').exec(section)?.[1] ?? '';
const [secret, header, claims, token] = ['secret', 'header', 'claims', 'token'].map(inExample) as [
  string,
  string,
  string,
  string,
];
const { fanwire, aud: audience, sub: userId, iat, exp, jti } = JSON.parse(claims);
const now = () => iat * 1000;
const base64url = (text: string): string => Buffer.from(text).toString('base64url');
const sign = (signed: string): string => createHmac('sha256', secret).update(signed).digest('base64url');
/** By the document alone. */
const signed = (said: object): string => {
  const parts = `${base64url(header)}.${base64url(JSON.stringify(said))}`;
  return `${parts}.${sign(parts)}`;
};
const verify = createAuthenticate(parseAuth({ grants: true }), {
  ...webDeps(fetch, now),
  ...{ audience, secrets: async () => ({ current: secret }) },
});

it('has an example that is signed as the document says, and taken', async () => {
  const parts = `${base64url(header)}.${base64url(claims)}`;
  expect(token).toBe(`${parts}.${sign(parts)}`);
  const [, prefix = ''] = /of `([\w+-]+)`, a line feed/.exec(section) ?? [];
  const keyId = createHash('sha256').update(`${prefix}\n${secret}`).digest('base64url');
  expect(JSON.parse(header)).toEqual({ alg: 'HS256', typ: prefix, kid: keyId.slice(0, 16) });
  expect(await verify(token)).toEqual({
    ...{ userId, rights: fanwire.rights, issuedAt: iat, expiresAt: exp, tokenId: jti },
  });
});

it('is what Fanwire’s own grant signs, to the letter', async () => {
  const options = { userId, rights: fanwire.rights, expiresIn: exp - iat };
  expect(await grant(options, { secret, audience, now, newId: () => jti })).toBe(token);
});

it('has the limits that the document says', async () => {
  const numberIn = (words: RegExp): number =>
    Number(words.exec(section)?.[1]?.replaceAll(',', '') ?? Number.NaN);
  const granter = { secret, audience, now };
  const seconds = numberIn(/at most ([\d,]+) seconds after/);
  await grant({ userId, rights: fanwire.rights, expiresIn: seconds }, granter);
  const longer = grant({ userId, rights: fanwire.rights, expiresIn: seconds + 1 }, granter);
  await expect(longer).rejects.toThrow('expected expiresIn');

  const bytes = numberIn(/([\d,]+) bytes at least/);
  const short = { ...granter, secret: 'x'.repeat(bytes - 1) };
  const withShort = grant({ userId, rights: fanwire.rights, expiresIn: 60 }, short);
  await expect(withShort).rejects.toThrow(`expected a secret of at least ${bytes} bytes`);

  const days = numberIn(/([\d,]+) days after its `iat`/);
  const issuedBefore = (age: number) =>
    verify(signed({ ...JSON.parse(claims), iat: iat - age, exp: exp + 60 * 86_400 }));
  await issuedBefore(days * 86_400 - 60);
  await expect(issuedBefore(days * 86_400 + 60)).rejects.toMatchObject({ fault: 'too_old' });

  const topics = numberIn(/([\d,]+) topics at most/);
  const withTopics = (count: number) => {
    const rights = Object.fromEntries(Array.from({ length: count }, (_, n) => [`t/${n}`, ['publish']]));
    return verify(signed({ ...JSON.parse(claims), fanwire: { rights } }));
  };
  await withTopics(topics);
  await expect(withTopics(topics + 1)).rejects.toMatchObject({ fault: 'rights' });

  const characters = numberIn(/token has at most ([\d,]+) characters/);
  const padded = (length: number) => signed({ ...JSON.parse(claims), more: 'x'.repeat(length) });
  await verify(padded(characters / 2));
  await expect(verify(padded(characters))).rejects.toMatchObject({ fault: 'too_long' });
  await expect(verify(signed({ ...JSON.parse(claims), sub: 'x'.repeat(129) }))).rejects.toMatchObject({
    fault: 'user_id',
  });
});
