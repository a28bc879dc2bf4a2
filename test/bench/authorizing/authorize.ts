import { assemble } from '../../../services/authorize/assemble.ts';
import { authorize } from '../../../services/authorize/authorize.ts';
import { grant } from '../../../shared/auth/grants.ts';
import { parseAuth } from '../../../shared/auth/settings.ts';
import { authorizer } from '../../../shared/lambda/authorizer.ts';
import type { AuthorizerEvent } from '../../../shared/lambda/events.ts';
import { AUDIENCE, CLAIMS, FakeIssuer, ISSUER, NOW_MS, signingKey, webDeps } from '../../support/issuer.ts';

/** Authorizes one handshake after the other, and tells its parent what one takes of the processor, in milliseconds. */
const WARM_UP = 1_000;
const CALLS = 2_000;

export type Kind = 'grant' | 'RS256' | 'ES256' | 'EdDSA';
export type Costs = Readonly<Record<Kind, number>>;

const API = 'https://api.example/prod';
const SECRET = 'secret'.padEnd(64, '.');
const now = () => NOW_MS;
const rs256 = signingKey('rsa', 'RS256');
const es256 = signingKey('curve', 'ES256');
const edDsa = signingKey('edwards', 'EdDSA');

const auth = parseAuth({
  issuers: [{ issuer: ISSUER, audience: AUDIENCE, rightsClaim: true }],
  grants: true,
  rights: { 'inbox/{sub}/*': ['subscribe', 'history'], 'chat/*': ['subscribe', 'publish', 'history'] },
});
const clients = {
  ...webDeps(new FakeIssuer(rs256, es256, edDsa).fetch),
  secrets: async () => ({ current: SECRET, previous: 'previous'.padEnd(64, '.') }),
  tickets: async () => ({ take: async () => undefined }),
};
const deps = assemble({ auth, issuers: [], audience: API, accessTable: 'access' }, clients, { now });
const handler = authorizer((event) => authorize(event, deps));
const context = { awsRequestId: 'r', getRemainingTimeInMillis: () => 10_000 };

const handshakeWith = (token: string): AuthorizerEvent => ({
  methodArn: 'arn:aws:execute-api:us-east-1:000000000000:abcd123456/prod/$connect',
  requestContext: {
    connectionId: 'L0SM9cOFvHcCIhw=',
    requestId: 'r',
    routeKey: '$connect',
    connectedAt: NOW_MS,
    requestTimeEpoch: NOW_MS,
  },
  multiValueHeaders: { 'Sec-WebSocket-Protocol': [`fanwire, bearer.${token}`] },
});

/** A token each time, as handshakes have them: nothing is remembered of one. */
async function costOf(tokenNumbered: (number: number) => string | Promise<string>): Promise<number> {
  const events: AuthorizerEvent[] = [];
  for (let n = 0; n < WARM_UP + CALLS; n++) events.push(handshakeWith(await tokenNumbered(n)));
  for (const event of events.slice(0, WARM_UP)) await handler(event, context);
  const before = process.cpuUsage();
  for (const event of events.slice(WARM_UP)) await handler(event, context);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / CALLS;
}

const claimsNumbered = (number: number) => ({
  ...CLAIMS,
  iat: CLAIMS.exp - 3_600,
  jti: `token-${number}`,
  fanwire: { rights: { 'team/*': ['subscribe', 'publish'] } },
});
const grantNumbered = (number: number) =>
  grant(
    { userId: 'alice', rights: { 'team/*': ['subscribe', 'publish'] }, expiresIn: 600 },
    { secret: SECRET, audience: API, now, newId: () => `grant-${number}` },
  );

process.once('message', async () => {
  const costs: Costs = {
    grant: await costOf(grantNumbered),
    RS256: await costOf((number) => rs256.sign(claimsNumbered(number))),
    ES256: await costOf((number) => es256.sign(claimsNumbered(number))),
    EdDSA: await costOf((number) => edDsa.sign(claimsNumbered(number))),
  };
  process.send?.(costs, () => process.exit());
});
