import { assemble } from '../../../services/authorize/assemble.ts';
import { authorize } from '../../../services/authorize/authorize.ts';
import { grant, keyIdOf } from '../../../shared/auth/grants.ts';
import { parseAuth } from '../../../shared/auth/settings.ts';
import type { HandshakeEvent } from '../../../shared/auth/token.ts';
import type { Verdict } from '../../../shared/lambda/authorizer.ts';
import { Dice } from '../../simulation/dice.ts';
import { distort, misspell, oddValue } from '../../support/distort.ts';
import {
  AUDIENCE,
  CLAIMS,
  FakeIssuer,
  ISSUER,
  NOW_MS,
  NOW_SECONDS,
  signedPart,
  signedWith,
  signingKey,
  webDeps,
} from '../../support/issuer.ts';

/**
 * Handshakes that no client of ours makes, with tokens that nobody has issued: other text, tokens of which parts are
 * those of others, claims and headers that are right but for one thing, in places where they may be and where they may
 * not. `node test/unit/auth/foreign-handshakes.ts 1000000` throws a million at the authorizer.
 */

const API = 'https://api.example/prod';
const SECRET = 'secret'.padEnd(32, '.');
const TOLERANCE_SECONDS = 30;
const GRANT_CLAIMS = { iss: 'fanwire', aud: API, sub: 'alice', iat: NOW_SECONDS, exp: NOW_SECONDS + 60 };
const GRANT_HEADER = { alg: 'HS256', typ: 'fanwire-grant+jwt', kid: keyIdOf(SECRET) };
const IDENTITY_CLAIMS = {
  ...CLAIMS,
  iat: NOW_SECONDS - 60,
  fanwire: { rights: { 'chat/*': ['subscribe'] } },
};
const now = () => NOW_MS;
const keys = [signingKey('rsa', 'RS256'), signingKey('curve', 'ES256'), signingKey('edwards', 'EdDSA')];
const strangers = [signingKey('rsa', 'RS256'), signingKey('curve', 'ES256'), signingKey('none', 'EdDSA')];

/** As their issuers have made them. */
const VALID: readonly string[] = [
  ...keys.map((key) => key.sign(IDENTITY_CLAIMS)),
  await grant(
    { userId: 'alice', rights: { 'chat/*': ['publish'] }, expiresIn: 60 },
    { secret: SECRET, audience: API, now },
  ),
];
const PARTS = VALID.flatMap((token) => token.split('.'));

type Fields = Readonly<Record<string, unknown>>;

interface Forged {
  readonly text: string;
  /** Its issuer has really signed this. */
  readonly claims?: Fields;
}

function forge(dice: Dice): Forged {
  const odd = <T extends object>(fields: T): T => (dice.chance(0.7) ? distort(fields, dice) : fields);
  const kind = dice.weighted({ valid: 0.12, spelling: 0.3, parts: 0.08, signed: 0.25, unsigned: 0.15 });
  switch (kind) {
    case 'valid':
      return { text: dice.pick(VALID) };
    case 'spelling':
      return { text: misspell(dice.pick(VALID), dice) };
    case 'parts':
      return { text: [1, 2, 3].map(() => dice.pick(PARTS)).join('.') };
    case 'signed': {
      const claims = odd(dice.chance(0.3) ? GRANT_CLAIMS : IDENTITY_CLAIMS);
      if (dice.chance(0.3)) return { text: signedWith(SECRET, odd(GRANT_HEADER), claims), claims };
      return { text: dice.pick(keys).sign(claims, odd({ typ: 'JWT' })), claims };
    }
    case 'unsigned': {
      const [stranger, key] = [dice.pick(strangers), dice.pick(keys)];
      const header = {
        alg: dice.pick(['none', 'HS256', 'RS256', 'ES256']),
        kid: dice.pick(['rsa', 'curve']),
      };
      const pem = key.publicKey.export({ type: 'spki', format: 'pem' });
      return {
        text: dice.pick([
          stranger.sign(odd(IDENTITY_CLAIMS)),
          signedWith(pem, { ...header, alg: 'HS256' }, IDENTITY_CLAIMS),
          signedWith(pem, GRANT_HEADER, odd(GRANT_CLAIMS)),
          signedWith('', GRANT_HEADER, odd(GRANT_CLAIMS)),
          `${signedPart(odd(header), IDENTITY_CLAIMS)}.${dice.pick(['', ...PARTS])}`,
        ]),
      };
    }
    default:
      return { text: JSON.stringify(oddValue(dice)) };
  }
}

const HEADERS = [
  'Authorization',
  'authorization',
  'AUTHORIZATION',
  'Sec-WebSocket-Protocol',
  'Cookie',
  'Host',
];
const SCHEMES = ['Bearer ', 'bearer  ', 'BEARER ', 'Basic ', 'Bearer', '', 'Bearer Bearer ', 'DPoP '];
const PROTOCOLS = [
  'fanwire, bearer.',
  'bearer.',
  'fanwire,bearer.',
  'Bearer.',
  'bearer',
  'fanwire bearer.',
  'x, ',
];

function headerWith(text: string, dice: Dice): [string, string[]] {
  const name = dice.pick(HEADERS);
  const words = name.startsWith('Sec') ? PROTOCOLS : SCHEMES;
  const value = `${dice.chance(0.6) ? words[0] : dice.pick(words)}${text}`;
  return [name, dice.chance(0.05) ? [value, value] : [value]];
}

interface Handshake {
  readonly event: HandshakeEvent;
  readonly tokens: readonly Forged[];
}

function handshake(dice: Dice): Handshake {
  const tokens = Array.from({ length: dice.pick([0, 1, 1, 1, 1, 1, 2]) }, () => forge(dice));
  const headers: [string, string[]][] = [];
  const query: [string, string[]][] = [];
  for (const { text } of tokens) {
    if (dice.chance(0.85)) headers.push(headerWith(text, dice));
    else query.push([dice.pick(['token', 'Token', 'ticket', 'access_token']), [text]]);
  }
  const event = {
    multiValueHeaders: Object.fromEntries(headers),
    ...(dice.chance(0.5) && { multiValueQueryStringParameters: Object.fromEntries(query) }),
  };
  return { event: dice.chance(0.2) ? distort(event, dice) : event, tokens };
}

/** What stands where a token may be, each as it is written. */
function inPlaces({ multiValueHeaders, multiValueQueryStringParameters }: HandshakeEvent): string[] {
  const all = (fields: object | null | undefined, name: RegExp): unknown[] =>
    Object.entries(fields ?? {}).flatMap(([key, values]) => (name.test(key) ? [values ?? []].flat() : []));
  return [
    ...all(multiValueHeaders, /^authorization$/i),
    ...all(multiValueHeaders, /^sec-websocket-protocol$/i)
      .flatMap((list) => JSON.stringify(list).slice(1, -1).split(','))
      .filter((protocol) => /^\s*bearer\./i.test(protocol)),
    ...all(multiValueQueryStringParameters, /^token$/i),
  ].map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
}

/** What is wrong with letting it in, if it is. */
function wrongIn(verdict: Verdict, { event, tokens }: Handshake): string | undefined {
  if (!('context' in verdict)) return undefined;
  const [place, ...others] = inPlaces(event);
  const { userId } = verdict.context;
  // Whatever might be meant for a token has to be one.
  if (userId === undefined) return place === undefined ? undefined : 'as nobody';
  if (place === undefined || others.length > 0) return `with ${others.length + 1} tokens`;
  const text = place.trim().replace(/^bearer(?:\.| +)/i, '');
  const signed = tokens.find((token) => token.claims && token.text.trim() === text)?.claims;
  if (!(signed ? isGood(signed) : VALID.includes(text))) return 'with no good token';
  const name = escaped(String(signed?.sub ?? 'alice'));
  return name === userId ? undefined : `as ${userId}`;
}

function isGood({ iss, aud, sub, exp, nbf, iat }: Fields): boolean {
  const seconds = (value: unknown, missing: number) => (value === undefined ? missing : Number(value));
  const audience = iss === 'fanwire' ? API : AUDIENCE;
  return (
    [ISSUER, 'fanwire'].includes(String(iss)) &&
    [aud].flat().includes(audience) &&
    typeof sub === 'string' &&
    typeof exp === 'number' &&
    exp > NOW_SECONDS - TOLERANCE_SECONDS &&
    seconds(nbf, 0) <= NOW_SECONDS + TOLERANCE_SECONDS &&
    seconds(iat, Infinity) <= NOW_SECONDS + TOLERANCE_SECONDS
  );
}

const escaped = (text: string): string =>
  Buffer.from(text).reduce(
    (all, byte) =>
      all +
      (/[\w.:@-]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `~${byte.toString(16).toUpperCase().padStart(2, '0')}`),
    '',
  );

export interface Thrown {
  readonly admitted: number;
  readonly anonymous: number;
  readonly refused: Readonly<Record<string, number>>;
  /** What should not have happened. */
  readonly faults: readonly string[];
}

/** Throws so many handshakes at an authorizer. */
export async function throwHandshakes(seed: number, count: number): Promise<Thrown> {
  const dice = new Dice(seed);
  const auth = parseAuth({
    issuers: [{ issuer: ISSUER, audience: AUDIENCE, rightsClaim: dice.chance(0.5) }],
    grants: true,
    queryToken: dice.chance(0.3),
    rights: { 'inbox/{sub}/{tenant}': ['subscribe'], 'inbox/{sub}/*': ['subscribe'] },
    ...(dice.chance(0.5) && { anonymous: { news: ['subscribe'] } }),
  });
  const clients = {
    ...webDeps(new FakeIssuer(...keys).fetch),
    secrets: async () => ({ current: SECRET, previous: 'previous'.padEnd(32, '.') }),
    tickets: async () => ({ take: async () => undefined }),
  };
  const deps = assemble({ auth, issuers: [], audience: API, accessTable: 'access' }, clients, { now });
  const thrown = { admitted: 0, anonymous: 0, refused: {} as Record<string, number>, faults: [] as string[] };
  for (let n = 0; n < count && thrown.faults.length === 0; n++) {
    const made = handshake(dice);
    try {
      const verdict = await authorize(made.event, deps);
      const wrong = wrongIn(verdict, made);
      if (wrong !== undefined) thrown.faults.push(`let it in ${wrong}: ${JSON.stringify(made)}`);
      if ('reason' in verdict) thrown.refused[verdict.reason] = (thrown.refused[verdict.reason] ?? 0) + 1;
      else thrown[verdict.context.userId === undefined ? 'anonymous' : 'admitted'] += 1;
    } catch (error) {
      thrown.faults.push(`threw ${(error as Error).stack} at ${JSON.stringify(made)}`);
    }
  }
  return thrown;
}

if (import.meta.main) {
  const total = Number(process.argv[2] ?? 1_000_000);
  const perSeed = 10_000;
  const counts: Record<string, number> = {};
  for (let seed = 0; seed * perSeed < total; seed++) {
    const { faults, refused, ...letIn } = await throwHandshakes(seed, Math.min(perSeed, total));
    if (faults.length > 0) {
      console.error(`seed ${seed}: ${faults.join('; ')}`);
      process.exit(1);
    }
    for (const [name, n] of Object.entries({ ...letIn, ...refused })) counts[name] = (counts[name] ?? 0) + n;
  }
  console.log(`${total} handshakes: no throw, nobody in without a good token`, counts);
}
