import { describe, expect, it } from 'vitest';
import {
  createGrants,
  type GrantOptions,
  type GrantSecrets,
  grant,
  keyIdOf,
} from '../../../shared/auth/grants.ts';
import { createIdentities } from '../../../shared/auth/identity.ts';
import { parseJwt } from '../../../shared/auth/jwt.ts';
import { TOKEN_LENGTH_MAX } from '../../../shared/protocol/frames.ts';
import {
  FakeIssuer,
  ISSUER,
  NOW_MS,
  NOW_SECONDS,
  signedWith,
  signingKey,
  webDeps,
} from '../../support/issuer.ts';

const API = 'https://api.example/prod';
const [OLDEST, OLD, NEW] = ['oldest', 'old', 'new'].map((name) => name.padEnd(32, '.')) as [
  string,
  string,
  string,
];
const GRANT: GrantOptions = {
  userId: 'alice',
  rights: { 'chat/*': ['subscribe', 'publish'] },
  expiresIn: 60,
};
const FAR = 24 * 3600;

const now = () => NOW_MS;
const granted = (options: Partial<GrantOptions> = {}, secret = NEW, audience = API): Promise<string> =>
  grant({ ...GRANT, ...options } as GrantOptions, { secret, audience, now, newId: () => 'id-1' });

function verifier(secrets: GrantSecrets | Error = { current: NEW, previous: OLD }) {
  const state = { secrets, nowMs: NOW_MS, readings: 0 };
  const deps = webDeps(fetch, () => state.nowMs);
  const read = async (): Promise<GrantSecrets> => {
    state.readings += 1;
    if (state.secrets instanceof Error) throw state.secrets;
    return state.secrets;
  };
  const verify = createGrants({ ...deps, audience: API, secrets: read });
  const faultOf = (token: string): Promise<string> =>
    verify(parseJwt(token)).then(
      () => 'none',
      (error) => error.fault ?? error.name,
    );
  return { state, faultOf, verify: async (token: string) => verify(parseJwt(token)) };
}

it('gives a user rights, until it ends', async () => {
  const { verify, state, faultOf } = verifier();
  const token = await granted();
  expect(await verify(token)).toEqual({
    ...{ iss: 'fanwire', aud: API, sub: 'alice', iat: NOW_SECONDS, exp: NOW_SECONDS + 60, jti: 'id-1' },
    fanwire: { rights: { 'chat/*': ['subscribe', 'publish'] } },
  });
  state.nowMs += 90_000;
  expect(await faultOf(token)).toBe('expired');
});

it.each(['team', 'team/*'])('gives operations on one topic: %s', async (topic) => {
  const token = await granted({ topic, rights: ['subscribe'] });
  expect(await verifier().verify(token)).toMatchObject({ fanwire: { rights: { [topic]: ['subscribe'] } } });
});

it('has an id and the time of its own, if it is not told', async () => {
  const tokens = [1, 2].map(() => grant(GRANT, { secret: NEW, audience: API }));
  const [one, two] = (await Promise.all(tokens)).map((token) =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()),
  );
  expect(one.jti).not.toBe(two.jti);
  expect(one.exp - one.iat).toBe(60);
});

describe('is not made', () => {
  it.each<[string, Partial<GrantOptions>, string?]>([
    ['for ever', { expiresIn: Number.POSITIVE_INFINITY }],
    ['for longer than a day', { expiresIn: 86_401 }],
    ['for no time', { expiresIn: 0 }],
    ['for half a second', { expiresIn: 0.5 }],
    ['for a user id that is too long once it is escaped', { userId: '/'.repeat(43) }],
    ['for nobody', { userId: '' }],
    ['for a topic that is none', { topic: 'a//b', rights: ['subscribe'] }],
    ['for operations that are none', { topic: 'a', rights: ['read' as never] }],
    ['with placeholders', { rights: { 'inbox/{sub}': ['subscribe'] } }],
    ['with a short secret', {}, 'x'.repeat(31)],
  ])('%s', async (_, options, secret) => {
    await expect(granted(options, secret)).rejects.toThrow(/^expected .*, got /);
  });

  it('of more than a token can hold', async () => {
    const topics = Array.from({ length: 100 }, (_, index) => `${'x'.repeat(100)}${index}`);
    const rights = Object.fromEntries(topics.map((topic) => [topic, ['subscribe'] as const]));
    await expect(granted({ rights })).rejects.toThrow(`${TOKEN_LENGTH_MAX} characters`);
  });

  it('with the secret in its error', async () => {
    const error = await granted({}, 'short secret').catch(String);
    expect(error).not.toContain('short secret');
  });
});

describe('is refused', () => {
  it.each([
    ['of another API', granted({}, NEW, 'https://other.example/prod'), 'audience'],
    ['signed with neither secret', granted({}, OLDEST), 'unknown_key'],
    ['of another issuer', signed({ iss: ISSUER }), 'issuer'],
    ['without an audience', signed({ aud: undefined }), 'audience'],
    ['without an end', signed({ exp: undefined }), 'claims'],
    ['without a user', signed({ sub: undefined }), 'claims'],
    ['without the time it was issued at', signed({ iat: undefined }), 'issued_at'],
    ['that is not valid yet', signed({ nbf: NOW_SECONDS + 31 }), 'not_yet_valid'],
    ['of another type', signed({}, { typ: 'JWT' }), 'type'],
    ['of no type', signed({}, { typ: undefined }), 'type'],
    ['without a key id', signed({}, { kid: undefined }), 'unknown_key'],
    ['with the key id of the other secret', signed({}, { kid: keyIdOf(OLD) }), 'signature'],
    ['with a key id that is no text', signed({}, { kid: ['x'] }), 'unknown_key'],
    ['with another algorithm', signed({}, { alg: 'HS512' }), 'algorithm'],
    ['with none', signed({}, { alg: 'none' }), 'algorithm'],
    ['with a critical extension', signed({}, { crit: ['x'], x: 1 }), 'malformed'],
    ['with a key of its own', signed({}, { kid: 'x', jwk: { kty: 'oct', k: 'AAAA' } }), 'unknown_key'],
  ])('%s', async (_, token, fault) => {
    expect(await verifier().faultOf(await token)).toBe(fault);
  });

  it('tampered with', async () => {
    const [header, , signature] = (await granted()).split('.');
    const [, claims] = signed({ sub: 'mallory' }).split('.');
    expect(await verifier().faultOf(`${header}.${claims}.${signature}`)).toBe('signature');
  });
});

/** Signed as a grant is, with the secret itself. */
function signed(claims: object, header: object = {}): string {
  const good = { iss: 'fanwire', aud: API, sub: 'alice', iat: NOW_SECONDS, exp: NOW_SECONDS + 60 };
  const typed = { alg: 'HS256', typ: 'fanwire-grant+jwt', kid: keyIdOf(NEW), ...header };
  return signedWith(NEW, typed, { ...good, ...claims });
}

it('is good if it is signed as documented, whatever signs it', async () => {
  expect(await verifier().faultOf(signed({}))).toBe('none');
});

describe('rotation of the secret', () => {
  it('takes what is signed with the previous one, and no older', async () => {
    const { state, faultOf } = verifier({ current: OLD, previous: OLDEST });
    const tokens = await Promise.all([OLDEST, OLD, NEW].map((secret) => granted({ expiresIn: FAR }, secret)));
    const faults = () => Promise.all(tokens.map(faultOf));
    expect(await faults()).toEqual(['none', 'none', 'unknown_key']);
    state.secrets = { current: NEW, previous: OLD };
    state.nowMs += 30_000;
    // Read again because of the unknown key id.
    expect(await faultOf(tokens[2] as string)).toBe('none');
    expect(await faults()).toEqual(['unknown_key', 'none', 'none']);
  });

  it('goes on where the previous one is of no use', async () => {
    const { state, faultOf } = verifier({ current: OLD });
    const [old, now] = await Promise.all([OLD, NEW].map((secret) => granted({ expiresIn: FAR }, secret)));
    expect(await faultOf(old as string)).toBe('none');
    state.secrets = { current: NEW, previous: 'short' };
    state.nowMs += 30_000;
    expect(await faultOf(now as string)).toBe('none');
    expect(await faultOf(old as string)).toBe('unknown_key');
  });

  it('is noticed after five minutes, if no unknown key id tells of it earlier', async () => {
    const { state, faultOf } = verifier({ current: OLD });
    const token = await granted({ expiresIn: FAR }, OLD);
    expect(await faultOf(token)).toBe('none');
    state.secrets = { current: NEW };
    state.nowMs += 299_999;
    expect(await faultOf(token)).toBe('none');
    state.nowMs += 1;
    expect(await faultOf(token)).toBe('unknown_key');
  });

  it('is not looked for more often than every 30 s', async () => {
    const { state, faultOf } = verifier();
    for (let tries = 0; tries < 50; tries += 1)
      expect(await faultOf(signed({}, { kid: `x${tries}` }))).toBe('unknown_key');
    expect(state.readings).toBe(1);
  });
});

describe('while the secret cannot be read', () => {
  it('nobody gets in who was not let in before', async () => {
    const { state, faultOf } = verifier(new Error('denied'));
    const token = await granted();
    expect(await faultOf(token)).toBe('KeysUnavailableError');
    state.secrets = { current: NEW };
    state.nowMs += 5_000;
    expect(await faultOf(token)).toBe('none');
  });

  it('the one that was read is good for an hour', async () => {
    const { state, faultOf } = verifier();
    const token = await granted({ expiresIn: FAR });
    expect(await faultOf(token)).toBe('none');
    state.secrets = new Error('denied');
    state.nowMs += 3_599_999;
    expect(await faultOf(token)).toBe('none');
    state.nowMs += 5_000;
    expect(await faultOf(token)).toBe('KeysUnavailableError');
  });

  it('a short one is as good as none', async () => {
    expect(await verifier({ current: 'short' }).faultOf(signed({}))).toBe('KeysUnavailableError');
  });
});

describe('is no identity token, and the other way round', () => {
  const key = signingKey('key');
  const identities = createIdentities(
    [{ issuer: ISSUER, audience: API }],
    webDeps(new FakeIssuer(key).fetch),
  );

  it('even with the names of the other', async () => {
    await expect(identities(parseJwt(await granted()))).rejects.toMatchObject({ fault: 'issuer' });
    const identity = key.sign({
      iss: 'fanwire',
      aud: API,
      sub: 'alice',
      iat: NOW_SECONDS,
      exp: NOW_SECONDS + 60,
    });
    expect(await verifier().faultOf(identity)).toBe('type');
    const typed = key.sign(
      { iss: 'fanwire', aud: API, sub: 'alice', iat: NOW_SECONDS, exp: NOW_SECONDS + 60 },
      { typ: 'fanwire-grant+jwt', kid: keyIdOf(NEW) },
    );
    expect(await verifier().faultOf(typed)).toBe('algorithm');
    await expect(identities(parseJwt(signed({ iss: ISSUER })))).rejects.toMatchObject({ fault: 'type' });
  });
});
