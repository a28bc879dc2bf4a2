import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createIdentities, type Issuer } from '../../../shared/auth/identity.ts';
import { parseJwt } from '../../../shared/auth/jwt.ts';
import {
  AUDIENCE,
  CLAIMS,
  FakeIssuer,
  ISSUER,
  NOW_MS,
  type SigningKey,
  signingKey,
  webDeps,
} from '../../support/issuer.ts';

const MINUTE_MS = 60_000;
const [first, second, third] = ['first', 'second', 'third'].map((kid) => signingKey(kid)) as [
  SigningKey,
  SigningKey,
  SigningKey,
];

/** An issuer that is asked through what is under test, at a time that a test moves. */
function asked(issuer: FakeIssuer, settings: Partial<Issuer> = {}) {
  const clock = { nowMs: NOW_MS };
  const deps = webDeps(issuer.fetch, () => clock.nowMs);
  const verify = createIdentities([{ issuer: ISSUER, audience: AUDIENCE, ...settings }], deps);
  const faultOf = async (key: SigningKey, header = {}): Promise<string> => {
    const token = key.sign({ ...CLAIMS, exp: CLAIMS.exp + 86_400 }, header);
    return verify(parseJwt(token)).then(
      () => 'none',
      (error) => error.fault ?? error.name,
    );
  };
  return { clock, faultOf, problems: deps.problems };
}

it("finds keys by the issuer's configuration, and asks once for both", async () => {
  const issuer = new FakeIssuer(first);
  const { faultOf } = asked(issuer);
  expect(await Promise.all([faultOf(first), faultOf(first)])).toEqual(['none', 'none']);
  expect(issuer.asked).toEqual([`${ISSUER}.well-known/openid-configuration`, `${ISSUER}keys`]);
});

it('asks only for the keys if it knows where they are', async () => {
  const issuer = new FakeIssuer(first);
  const { faultOf } = asked(issuer, { jwksUri: `${ISSUER}keys` });
  expect(await faultOf(first)).toBe('none');
  expect(issuer.asked).toEqual([`${ISSUER}keys`]);
});

describe('rotation', () => {
  it('takes a new key at once, and the old one as long as it is there', async () => {
    const issuer = new FakeIssuer(first);
    const { clock, faultOf } = asked(issuer);
    expect(await faultOf(first)).toBe('none');
    issuer.keys = [first.jwk, second.jwk];
    clock.nowMs += MINUTE_MS;
    expect([await faultOf(second), await faultOf(first)]).toEqual(['none', 'none']);
    issuer.keys = [second.jwk];
    clock.nowMs += 10 * MINUTE_MS;
    expect([await faultOf(second), await faultOf(first)]).toEqual(['none', 'unknown_key']);
  });

  it('asks at most every half a minute for keys that are not there', async () => {
    const issuer = new FakeIssuer(first);
    const { clock, faultOf } = asked(issuer, { jwksUri: `${ISSUER}keys` });
    for (let second = 0; second < 120; second += 1) {
      expect(await faultOf(third)).toBe('unknown_key');
      clock.nowMs += 1_000;
    }
    expect(issuer.asked.length).toBe(4);
  });

  it('takes a token without a key id if only one key fits', async () => {
    const issuer = new FakeIssuer(first);
    expect(await asked(issuer).faultOf(first, { kid: undefined })).toBe('none');
    issuer.keys = [first.jwk, second.jwk];
    expect(await asked(issuer).faultOf(first, { kid: undefined })).toBe('unknown_key');
  });

  it('has no key left when the issuer has none', async () => {
    const issuer = new FakeIssuer(first);
    const { clock, faultOf } = asked(issuer);
    expect(await faultOf(first)).toBe('none');
    issuer.keys = [];
    clock.nowMs += 10 * MINUTE_MS;
    expect(await faultOf(first)).toBe('unknown_key');
  });
});

describe('while the issuer is down', () => {
  it('goes on with the keys that it has, for two hours', async () => {
    const issuer = new FakeIssuer(first);
    const { clock, faultOf, problems } = asked(issuer);
    expect(await faultOf(first)).toBe('none');
    issuer.isDown = true;
    clock.nowMs += 119 * MINUTE_MS;
    expect(await faultOf(first)).toBe('none');
    expect(problems).toEqual([expect.stringContaining('got 503')]);
    clock.nowMs += MINUTE_MS;
    expect(await faultOf(first)).toBe('KeysUnavailableError');
    issuer.isDown = false;
    clock.nowMs += 5_000;
    expect(await faultOf(first)).toBe('none');
  });

  it('cannot say of a key that it does not have whether there is one', async () => {
    const issuer = new FakeIssuer(first);
    const { clock, faultOf } = asked(issuer);
    expect(await faultOf(first)).toBe('none');
    issuer.isDown = true;
    clock.nowMs += MINUTE_MS;
    // Twice: it is not asked again so soon.
    expect([await faultOf(second), await faultOf(second)]).toEqual(Array(2).fill('KeysUnavailableError'));
    expect(await faultOf(first)).toBe('none');
  });

  it('refuses everybody if it has no keys, and tries again after some seconds', async () => {
    const issuer = new FakeIssuer(first);
    issuer.isDown = true;
    const { clock, faultOf } = asked(issuer);
    expect(await faultOf(first)).toBe('KeysUnavailableError');
    issuer.isDown = false;
    clock.nowMs += 4_999;
    expect(await faultOf(first)).toBe('KeysUnavailableError');
    expect(issuer.asked.length).toBe(1);
    clock.nowMs += 1;
    expect(await faultOf(first)).toBe('none');
    // All is well again: unknown keys are no reason to ask that often.
    const { length } = issuer.asked;
    clock.nowMs += 29_999;
    expect(await faultOf(third)).toBe('unknown_key');
    expect(issuer.asked.length).toBe(length);
  });
});

describe('an issuer that lies', () => {
  it.each([
    ['configures another', { configuration: { issuer: 'x', jwks_uri: `${ISSUER}keys` } }],
    ['has no keys', { configuration: { issuer: ISSUER } }],
    ['has keys without TLS', { configuration: { issuer: ISSUER, jwks_uri: 'http://a/k' } }],
    ['has keys in a file', { configuration: { issuer: ISSUER, jwks_uri: 'file:///k' } }],
    ['is configured with a list', { configuration: [] }],
    ['has keys that are none', { keys: [1, null] }],
    ['has too many', { keys: Array.from({ length: 51 }, () => first.jwk) }],
  ])('%s: nobody gets in', async (_, lie) => {
    const issuer = Object.assign(new FakeIssuer(first), lie);
    const { faultOf, problems } = asked(issuer);
    expect(await faultOf(first)).toBe('KeysUnavailableError');
    expect(problems.length).toBe(1);
  });

  it.each([
    ['a secret', { kty: 'oct', k: 'AAAA', kid: 'first' }],
    ['a key to encrypt with', { ...first.jwk, use: 'enc' }],
    ['a point that is on no curve', { ...first.jwk, x: first.jwk.y }],
    ['a private key', { ...first.jwk, d: 'AAAA' }],
    ['half a key', { ...first.jwk, y: undefined }],
    ['one of another curve', { ...first.jwk, crv: 'P-384' }],
    ['one of another algorithm', { ...first.jwk, alg: 'ES512' }],
  ])('whose key is %s: nobody gets in', async (_, jwk) => {
    const issuer = Object.assign(new FakeIssuer(), { keys: [jwk] });
    expect(await asked(issuer).faultOf(first)).toBe('unknown_key');
  });

  it('whose RSA key is short: nobody gets in', async () => {
    const short = signingKey('short', 'RS256', 1_024);
    const { faultOf, problems } = asked(new FakeIssuer(short));
    expect(await faultOf(short)).toBe('unknown_key');
    expect(problems).toEqual([expect.stringContaining('got 1024')]);
  });
});

/** An issuer on this machine. `deadline` is what ends a request, whenever a test wants. */
async function serving(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
  const deadline = new AbortController();
  const deps = { ...webDeps(fetch), deadline: () => deadline.signal };
  const verify = createIdentities([{ issuer, audience: AUDIENCE, jwksUri: `${issuer}/keys` }], deps);
  const verified = () => verify(parseJwt(first.sign({ ...CLAIMS, iss: issuer })));
  return { server, verified, deadline, deps };
}
const UNAVAILABLE = { name: 'KeysUnavailableError' };

describe('over HTTP', () => {
  it('takes what an issuer answers with', async () => {
    const { verified } = await serving((_, response) => {
      response.end(JSON.stringify({ keys: [first.jwk] }));
    });
    expect(await verified()).toMatchObject({ sub: 'alice' });
  });

  it('waits for no answer longer than for the deadline', async () => {
    const { server, verified, deadline } = await serving(() => {});
    const refused = expect(verified()).rejects.toMatchObject(UNAVAILABLE);
    await once(server, 'request');
    deadline.abort();
    await refused;
  });

  it('waits for the rest of an answer no longer than for the deadline', async () => {
    const { server, verified, deadline } = await serving((_, response) => void response.write('{"keys":['));
    const refused = expect(verified()).rejects.toMatchObject(UNAVAILABLE);
    await once(server, 'request');
    deadline.abort();
    await refused;
  });

  it('reads no more than 64 KB of an answer that never ends', async () => {
    const { verified, deps } = await serving((_, response) => {
      const more = (): void => {
        while (response.write('x'.repeat(16_384)));
        response.once('drain', more);
      };
      more();
    });
    await expect(verified()).rejects.toMatchObject(UNAVAILABLE);
    expect(deps.problems).toEqual([expect.stringContaining('at most 65536 bytes')]);
  });

  it.each([
    [65_536, true],
    [65_537, false],
  ])('takes an answer of %i bytes: %s', async (bytes, isTaken) => {
    const { verified } = await serving((_, response) => {
      response.end(JSON.stringify({ keys: [first.jwk] }).padEnd(bytes));
    });
    const outcome = expect(verified());
    await (isTaken
      ? outcome.resolves.toMatchObject({ sub: 'alice' })
      : outcome.rejects.toMatchObject(UNAVAILABLE));
  });

  it('follows no redirect, and takes no status but 200', async () => {
    const answers = [
      [302, { location: '/elsewhere' }],
      [404, {}],
      [206, {}],
    ] as const;
    for (const [status, headers] of answers) {
      const { verified } = await serving(({ url }, response) => {
        if (url === '/keys') response.writeHead(status, headers);
        response.end(JSON.stringify({ keys: [first.jwk] }));
      });
      await expect(verified()).rejects.toMatchObject(UNAVAILABLE);
    }
  });

  it('takes no answer that is no JSON', async () => {
    const { verified } = await serving((_, response) => void response.end('<html>'));
    await expect(verified()).rejects.toMatchObject(UNAVAILABLE);
  });
});
