import fc from 'fast-check';
import { expect, it } from 'vitest';
import { assemble } from '../../../services/authorize/assemble.ts';
import { authorize } from '../../../services/authorize/authorize.ts';
import { grant, keyIdOf } from '../../../shared/auth/grants.ts';
import { parseAuth } from '../../../shared/auth/settings.ts';
import {
  AUDIENCE,
  CLAIMS,
  FakeIssuer,
  ISSUER,
  NOW_MS,
  signedPart,
  signedWith,
  signingKey,
  webDeps,
} from '../../support/issuer.ts';

/** Tokens in all; `FUZZ_TOKENS=100000` takes some minutes. */
const COUNT = Number(process.env.FUZZ_TOKENS ?? 4_000);
const RUN = { numRuns: COUNT / 4 };
const TIMEOUT_MS = 30_000 + COUNT * 10;

const API = 'https://api.example/prod';
const SECRET = 'secret'.padEnd(32, '.');
const GRANT_HEADER = { alg: 'HS256', typ: 'fanwire-grant+jwt', kid: keyIdOf(SECRET) };
const now = () => NOW_MS;
const keys = [signingKey('rsa', 'RS256'), signingKey('curve', 'ES256'), signingKey('edwards', 'EdDSA')];

const auth = parseAuth({
  issuers: [{ issuer: ISSUER, audience: AUDIENCE, rightsClaim: true }],
  grants: true,
  rights: { 'inbox/{sub}/{tenant}': ['subscribe'] },
});
const clients = {
  ...webDeps(new FakeIssuer(...keys).fetch),
  secrets: async () => ({ current: SECRET, previous: 'previous'.padEnd(32, '.') }),
  tickets: async () => ({ take: async () => undefined }),
};
const deps = assemble({ issuers: [], auth, audience: API, accessTable: 'access' }, clients, { now });

/** Throws what is neither a verdict nor a refusal. */
const isAdmitted = async (token: string): Promise<boolean> => {
  const event = { multiValueHeaders: { Authorization: [`Bearer ${token}`] } };
  return 'context' in (await authorize(event, deps));
};

const valid = await Promise.all([
  ...keys.map((key) => key.sign()),
  grant(
    { userId: 'alice', rights: { 'chat/*': ['publish'] }, expiresIn: 60 },
    { secret: SECRET, audience: API, now },
  ),
]);
const CHARACTER = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...'ABCDQXYZabcdqxyz01289-_') },
  { weight: 1, arbitrary: fc.constantFrom(...'.=+/ ,~{}"\n\u00e9') },
);

/** One or more letters of a valid token are other ones, missing, or too many, or parts of it are those of another. */
const altered = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(...valid),
      fc.array(fc.tuple(fc.nat(), fc.nat(2), CHARACTER), { minLength: 1, maxLength: 4 }),
    )
    .map(([token, changes]) =>
      changes.reduce((text, [at, length, character]) => {
        const index = at % (text.length + 1);
        return (
          text.slice(0, index) + (length === 2 ? '' : character) + text.slice(index + Math.min(length, 1))
        );
      }, token),
    ),
  fc
    .array(fc.constantFrom(...valid.flatMap((token) => token.split('.'))), { minLength: 3, maxLength: 3 })
    .map((parts) => parts.join('.')),
  // Some bits of the last letter stand for nothing.
  fc.tuple(fc.constantFrom(...valid), CHARACTER).map(([token, last]) => token.slice(0, -1) + last),
  fc
    .tuple(fc.constantFrom(...valid), fc.nat())
    .map(([token, length]) => token.slice(0, length % token.length)),
);

const CLAIM = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(0, -1, 1e15, 1e21, 1e308, CLAIMS.exp, ISSUER, AUDIENCE, API, 'alice', 'a|b', '', null, []),
);
const claims = fc
  .dictionary(
    fc.constantFrom(
      'iss',
      'aud',
      'sub',
      'exp',
      'nbf',
      'iat',
      'jti',
      'fanwire',
      'tenant',
      '__proto__',
      'constructor',
    ),
    fc.oneof(CLAIM, fc.record({ rights: fc.dictionary(fc.string(), CLAIM) })),
  )
  .map((odd) => ({ ...CLAIMS, ...odd }));
const header = fc.dictionary(
  fc.constantFrom('alg', 'kid', 'typ', 'crit', 'b64', 'jwk', 'jku', 'x5c', 'cty', 'zip', 'enc', '__proto__'),
  fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(
      'none',
      'HS256',
      'RS256',
      'ES256',
      'EdDSA',
      'PS256',
      'rsa',
      'curve',
      'JWT',
      'fanwire-grant+jwt',
      ['b64'],
    ),
  ),
);

it(
  'an altered token lets nobody in',
  async () => {
    const refused = fc.asyncProperty(altered, async (token) => {
      fc.pre(!valid.includes(token.trim()));
      expect(await isAdmitted(token)).toBe(false);
    });
    await fc.assert(refused, RUN);
    expect(await Promise.all(valid.map(isAdmitted))).toEqual(valid.map(() => true));
  },
  TIMEOUT_MS,
);

it(
  'an odd token that its issuer has really signed throws nothing',
  async () => {
    const judged = fc.asyncProperty(fc.constantFrom(...keys), claims, header, async (key, odd, head) => {
      expect(await isAdmitted(key.sign(odd, head))).toBeTypeOf('boolean');
    });
    await fc.assert(judged, RUN);
  },
  TIMEOUT_MS,
);

it(
  'an odd token that nobody has signed lets nobody in',
  async () => {
    const signature = fc.oneof(fc.constant(''), fc.base64String(), fc.string());
    const refused = fc.asyncProperty(claims, header, signature, async (odd, head, end) => {
      expect(await isAdmitted(`${signedPart(head, odd)}.${end}`)).toBe(false);
      expect(
        await isAdmitted(signedWith(end, { ...GRANT_HEADER, ...head }, { ...odd, iss: 'fanwire' })),
      ).toBe(false);
    });
    await fc.assert(refused, RUN);
  },
  TIMEOUT_MS,
);

it(
  'what is no token lets nobody in',
  async () => {
    const text = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(fc.base64String(), { maxLength: 6 }).map((parts) => parts.join('.')),
    );
    const refused = fc.asyncProperty(text, async (token) => {
      expect(await isAdmitted(token)).toBe(false);
    });
    await fc.assert(refused, RUN);
  },
  TIMEOUT_MS,
);
