import { describe, expect, it } from 'vitest';
import { createIdentities, type Issuer } from '../../../shared/auth/identity.ts';
import { parseJwt, tokenIdOf } from '../../../shared/auth/jwt.ts';
import {
  AUDIENCE,
  CLAIMS,
  FakeIssuer,
  ISSUER,
  NOW_SECONDS,
  signedPart,
  signedWith,
  signingKey,
  webDeps,
} from '../../support/issuer.ts';

const MONTH_SECONDS = 30 * 86_400;

const rsa = signingKey('rsa', 'RS256');
const curve = signingKey('curve', 'ES256');
const edwards = signingKey('edwards', 'EdDSA');
const stranger = signingKey('curve', 'ES256');
const issuer = new FakeIssuer(rsa, curve, edwards);

const identities = (settings: Partial<Issuer> = {}, from = issuer) =>
  createIdentities([{ issuer: ISSUER, audience: AUDIENCE, ...settings }], webDeps(from.fetch));
const verify = async (token: string, settings?: Partial<Issuer>) => identities(settings)(parseJwt(token));

it.each([rsa, curve, edwards])('takes a token of the issuer', async (key) => {
  expect(await verify(key.sign())).toEqual(CLAIMS);
});

it.each(['JWT', 'jwt', 'at+jwt', 'application/at+jwt'])('takes the type %s', async (typ) => {
  expect(await verify(curve.sign(CLAIMS, { typ }))).toMatchObject({ sub: 'alice' });
});

it('takes one of several audiences', async () => {
  const token = curve.sign({ ...CLAIMS, aud: ['other', AUDIENCE] });
  expect(await verify(token, { audience: ['another', AUDIENCE] })).toMatchObject({ sub: 'alice' });
});

it('grants clocks half a minute', async () => {
  for (const claims of [
    { exp: NOW_SECONDS - 29 },
    { nbf: NOW_SECONDS + 30 },
    { iat: NOW_SECONDS + 30 },
    { iat: NOW_SECONDS - MONTH_SECONDS - 30 },
  ]) {
    expect(await verify(curve.sign({ ...CLAIMS, ...claims }))).toMatchObject({ sub: 'alice' });
  }
});

const { exp: _exp, ...WITHOUT_END } = CLAIMS;
const { sub: _sub, ...WITHOUT_SUBJECT } = CLAIMS;
const { aud: _aud, ...WITHOUT_AUDIENCE } = CLAIMS;
const { iat: _iat, ...WITHOUT_BEGIN } = CLAIMS;

describe('refuses', () => {
  it.each([
    ['another issuer', { ...CLAIMS, iss: 'https://other.example/' }, 'issuer'],
    ['the issuer without its slash', { ...CLAIMS, iss: ISSUER.slice(0, -1) }, 'issuer'],
    ['a list of issuers', { ...CLAIMS, iss: [ISSUER] }, 'issuer'],
    ['another audience', { ...CLAIMS, aud: 'another app' }, 'audience'],
    ['an audience that only begins like it', { ...CLAIMS, aud: `${AUDIENCE}2` }, 'audience'],
    ['no audience', WITHOUT_AUDIENCE, 'audience'],
    ['an expired token', { ...CLAIMS, exp: NOW_SECONDS - 30 }, 'expired'],
    ['one that is not valid yet', { ...CLAIMS, nbf: NOW_SECONDS + 31 }, 'not_yet_valid'],
    ['one without an end', WITHOUT_END, 'claims'],
    ['an end that is no number', { ...CLAIMS, exp: '2999999999' }, 'claims'],
    ['one that does not say when it was issued', WITHOUT_BEGIN, 'issued_at'],
    ['one that says so in a text', { ...CLAIMS, iat: String(CLAIMS.iat) }, 'issued_at'],
    ['one from the future', { ...CLAIMS, iat: NOW_SECONDS + 31 }, 'issued_at'],
    ['one from more than 30 days ago', { ...CLAIMS, iat: NOW_SECONDS - MONTH_SECONDS - 31 }, 'too_old'],
    ['one without a subject', WITHOUT_SUBJECT, 'claims'],
    ['a subject that is no text', { ...CLAIMS, sub: 7 }, 'claims'],
  ])('%s', async (_, claims, fault) => {
    await expect(verify(curve.sign(claims))).rejects.toMatchObject({ fault });
  });

  it.each([
    ['an end that is infinite', CLAIMS.exp, '1e999', 'claims'],
    ['a beginning at the end of time', CLAIMS.iat, '1e999', 'issued_at'],
    ['a beginning before all time', CLAIMS.iat, '-1e999', 'too_old'],
  ])('%s', async (_, number, odd, fault) => {
    const claims = JSON.stringify(CLAIMS).replace(String(number), odd);
    await expect(verify(curve.sign(claims))).rejects.toMatchObject({ fault });
  });

  it.each(['none', 'None', 'NONE', ''])('the algorithm "%s"', async (alg) => {
    const text = signedPart({ alg, kid: 'curve' });
    expect(() => parseJwt(`${text}.`)).toThrow(expect.objectContaining({ fault: 'malformed' }));
    const fault = alg === '' ? 'malformed' : 'algorithm';
    await expect(verify(`${text}.AAAA`)).rejects.toMatchObject({ fault });
  });

  it('a public key used as a secret', async () => {
    const { publicKey, jwk } = rsa;
    const secrets = [
      publicKey.export({ type: 'spki', format: 'pem' }),
      publicKey.export({ type: 'pkcs1', format: 'pem' }),
      publicKey.export({ type: 'spki', format: 'der' }),
      String(jwk.n),
      JSON.stringify(jwk),
    ];
    for (const secret of secrets) {
      await expect(verify(signedWith(secret, { alg: 'HS256', kid: 'rsa' }))).rejects.toMatchObject({
        fault: 'algorithm',
      });
    }
  });

  it('an algorithm that this issuer has not', async () => {
    const token = curve.sign();
    await expect(verify(token, { algorithms: ['RS256', 'EdDSA'] })).rejects.toMatchObject({
      fault: 'algorithm',
    });
  });

  it('an algorithm that is not the one of its key', async () => {
    await expect(verify(curve.sign(CLAIMS, { alg: 'RS256' }))).rejects.toMatchObject({
      fault: 'unknown_key',
    });
  });

  it('the signature of a stranger with the same key id', async () => {
    await expect(verify(stranger.sign())).rejects.toMatchObject({ fault: 'signature' });
  });

  it('an unknown key id', async () => {
    await expect(verify(curve.sign(CLAIMS, { kid: 'other' }))).rejects.toMatchObject({
      fault: 'unknown_key',
    });
  });

  it('a key that the token brings, or says where to find', async () => {
    for (const header of [
      { jwk: stranger.jwk },
      { jku: 'https://evil.example/keys' },
      { x5u: 'https://evil.example/certificate', x5c: ['AAAA'] },
    ]) {
      const asked = issuer.asked.length;
      await expect(verify(stranger.sign(CLAIMS, header))).rejects.toMatchObject({ fault: 'signature' });
      expect(issuer.asked.slice(asked).filter((url) => !url.startsWith(ISSUER))).toEqual([]);
    }
  });

  it('critical extensions', async () => {
    for (const header of [
      { crit: ['exp'], exp: 1 },
      { crit: ['http://example.com/x'], 'http://example.com/x': 1 },
      { crit: [] },
      { crit: 'b64' },
      { crit: ['b64'], b64: false },
      { crit: ['b64'], b64: 'true' },
    ]) {
      await expect(verify(curve.sign(CLAIMS, header))).rejects.toMatchObject({ fault: 'malformed' });
    }
  });

  it.each(['fanwire-grant+jwt', 'logout+jwt', 'dpop+jwt', 'JWT ', 7, null])('the type %s', async (typ) => {
    await expect(verify(curve.sign(CLAIMS, { typ }))).rejects.toMatchObject({ fault: 'type' });
  });

  it.each([
    ['nothing', ''],
    ['two parts', 'a.b'],
    ['four parts', 'e30.e30.AAAA.AAAA'],
    ['five parts, as encrypted tokens have', 'e30.AAAA.AAAA.AAAA.AAAA'],
    ['what is no JSON', 'AAAA.AAAA.AAAA'],
    ['lists', 'W10.W10.AAAA'],
    ['null', 'bnVsbA.bnVsbA.AAAA'],
    ['padding', 'e30=.e30=.AAAA'],
    ['white space', 'e30.e30.AA AA'],
    ['the alphabet of base64', 'e30.e30.AA+/'],
    ['bits that stand for nothing', 'e30.e30.AB'],
  ])('%s', async (_, text) => {
    await expect(verify(text)).rejects.toMatchObject({ fault: 'malformed' });
  });

  it('more than 8 KB', async () => {
    const long = curve.sign({ ...CLAIMS, filler: 'x'.repeat(8_192) });
    await expect(verify(long)).rejects.toMatchObject({ fault: 'too_long' });
  });
});

it('asks nobody about an issuer that is not configured', async () => {
  const own = new FakeIssuer(curve);
  const token = curve.sign({ ...CLAIMS, iss: 'https://evil.example' });
  await expect(identities({}, own)(parseJwt(token))).rejects.toMatchObject({ fault: 'issuer' });
  expect(own.asked).toEqual([]);
});

it('takes no token of one issuer that is signed with the key of another', async () => {
  const other = 'https://other.example';
  const fetch: typeof globalThis.fetch = async (url) =>
    Response.json({ keys: [String(url).startsWith(other) ? stranger.jwk : curve.jwk] });
  const verifies = createIdentities(
    [ISSUER, other].map((name) => ({ issuer: name, audience: AUDIENCE, jwksUri: `${name}/keys` })),
    webDeps(fetch),
  );
  expect(await verifies(parseJwt(stranger.sign({ ...CLAIMS, iss: other })))).toBeDefined();
  await expect(verifies(parseJwt(stranger.sign()))).rejects.toMatchObject({ fault: 'signature' });
});

it('says nothing of a token in an error', async () => {
  const token = curve.sign({ ...CLAIMS, sub: 'secret-subject', exp: 1 });
  const error = await verify(token).catch((caught: Error) => caught);
  expect(error).toMatchObject({ fault: 'expired' });
  const shown = `${(error as Error).stack} ${JSON.stringify(error, Object.getOwnPropertyNames(error))}`;
  expect(shown).not.toContain('secret-subject');
  expect(shown).not.toContain(token.slice(0, 20));
  expect((error as Error).cause).toBeUndefined();
});

describe('the id of a token', () => {
  it('is its jti', async () => {
    const token = parseJwt(curve.sign());
    for (const jti of ['token-1', 'x'.repeat(64)]) expect(tokenIdOf(token, { ...CLAIMS, jti })).toBe(jti);
  });

  it('is made of what is signed, if it has none or an odd one', async () => {
    const token = parseJwt(curve.sign());
    const ids = [undefined, 7, '', 'a b', 'x'.repeat(65)].map((jti) => tokenIdOf(token, { ...CLAIMS, jti }));
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[\w-]{43}$/);
    // Signed again, with another signature: ECDSA has many for one text.
    expect(tokenIdOf(parseJwt(curve.sign()), { ...CLAIMS, jti: undefined })).toBe(ids[0]);
    const other = parseJwt(curve.sign({ ...CLAIMS, sub: 'bob' }));
    expect(tokenIdOf(other, { ...CLAIMS, jti: undefined })).not.toBe(ids[0]);
  });
});
