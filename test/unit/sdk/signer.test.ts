import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Request } from '../../../shared/aws/sdk/request.ts';
import { RequestSigner } from '../../../shared/aws/sdk/signer.ts';
import type { Credentials } from '../../../shared/aws/sign/sigv4.ts';
import { Sha256 } from '../../support/posting-endpoint.ts';

const REQUESTS = 2_000;
const NOW = new Date(Date.UTC(2026, 10, 20, 12));

const word = (characters: string, minLength = 1, maxLength = 20) =>
  fc.string({ unit: fc.constantFrom(...characters), minLength, maxLength });
const ALPHANUMERIC = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

const credentialSets = fc.record(
  {
    accessKeyId: word(ALPHANUMERIC, 16, 20),
    secretAccessKey: word(`${ALPHANUMERIC}+/`, 1, 80),
    sessionToken: word(`${ALPHANUMERIC}+/=`, 1, 600),
  },
  { requiredKeys: ['accessKeyId', 'secretAccessKey'] },
);
/** Some of these are signed, some are not, and some are of an earlier attempt. */
const headerSets = fc.dictionary(
  fc.constantFrom(
    ...['content-type', 'X-Amz-Target', 'x-amz-user-agent', 'user-agent', 'amz-sdk-request', 'x-amz-meta-a'],
    ...['content-length', 'x-amzn-trace-id', 'authorization', 'x-amz-date', 'x-amz-security-token'],
  ),
  word(`${ALPHANUMERIC}  .;=/ü`),
);
const requests = fc.record({
  method: fc.constantFrom('POST', 'GET', 'DELETE'),
  protocol: fc.constant('https:'),
  hostname: fc.constantFrom('dynamodb.eu-west-1.amazonaws.com', 'localhost', '127.0.0.1'),
  path: fc.constantFrom('/', '/prod/@connections/L0SM9cOFvHcCIhw%3D', '/a-b_c/d~e', '/$default/x%20y'),
  headers: headerSets,
  body: fc.oneof(
    fc.constant(undefined),
    fc.string(),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 2_000 }),
  ),
});
const steps = fc.record({
  request: requests,
  rotated: fc.option(credentialSets, { nil: undefined, freq: 3 }),
  region: fc.option(fc.constantFrom('us-east-1', 'ap-southeast-2'), { nil: undefined }),
  service: fc.option(fc.constantFrom('sqs', 'events'), { nil: undefined }),
  aheadMs: fc.integer({ min: -90_000_000, max: 90_000_000 }),
});

const config = (credentials: () => Credentials) => ({
  credentials: async () => credentials(),
  region: async () => 'eu-west-1',
  defaultSigningName: 'dynamodb',
});
const withHost = (request: Request): Request => ({
  ...request,
  headers: { ...request.headers, host: request.hostname },
});

/** What the SDK's own signer makes of the request, if it may sign what ours does. */
async function reference(request: Request, keys: Credentials, region: string, service: string, date: Date) {
  const signer = new SignatureV4({
    service,
    region,
    credentials: keys,
    sha256: Sha256,
    applyChecksum: false,
  });
  const isOurs = (name: string) => /^(x-amz-.*|host|content-type)$/.test(name);
  const { 'x-amz-security-token': _, ...headers } = lowerCase(request.headers);
  const signed = await signer.sign(
    { ...request, query: {}, headers },
    {
      signingDate: date,
      unsignableHeaders: new Set(Object.keys(headers).filter((name) => !isOurs(name))),
    },
  );
  return signed.headers;
}

const lowerCase = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

describe('RequestSigner', () => {
  it(`signs as the SDK does, in ${REQUESTS} random requests`, async () => {
    const runs = 10;
    await fc.assert(
      fc.asyncProperty(
        credentialSets,
        fc.array(steps, { minLength: runs, maxLength: runs }),
        async (first, all) => {
          let keys: Credentials = first;
          const signer = new RequestSigner(config(() => keys));
          for (const { request: bare, rotated, region, service, aheadMs } of all) {
            keys = rotated ?? keys;
            const request = withHost(bare);
            const date = new Date(NOW.getTime() + aheadMs);
            const { headers } = await signer.sign(request, {
              signingDate: date,
              ...(region && { signingRegion: region }),
              ...(service && { signingService: service }),
            });
            const expected = await reference(
              request,
              keys,
              region ?? 'eu-west-1',
              service ?? 'dynamodb',
              date,
            );
            expect(headers).toEqual(expected);
          }
        },
      ),
      { numRuns: REQUESTS / runs },
    );
  }, 60_000);

  it('leaves the request as it was, for another attempt', async () => {
    const signer = new RequestSigner(
      config(() => ({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' })),
    );
    const request = Object.freeze({
      method: 'POST',
      protocol: 'https:',
      hostname: 'localhost',
      path: '/',
      headers: Object.freeze({ host: 'localhost', 'x-amz-target': 'X' }),
      body: '{}',
    });
    const [once, again] = [
      await signer.sign(request, { signingDate: NOW }),
      await signer.sign(request, { signingDate: NOW }),
    ];
    expect(again).toEqual(once);
    expect(await signer.sign(once, { signingDate: NOW })).toEqual(once);
  });

  it('refuses a body that it cannot read', async () => {
    const signer = new RequestSigner(config(() => ({ accessKeyId: 'a', secretAccessKey: 'b' })));
    const request = {
      method: 'POST',
      protocol: 'https:',
      hostname: 'x',
      path: '/',
      headers: {},
      body: { a: 1 },
    };
    await expect(signer.sign(request)).rejects.toThrow('expected a body of text or bytes, got object');
  });
});
