import { createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HmacKey } from '../../../shared/aws/sign/hmac-key.ts';
import type { Credentials } from '../../../shared/aws/sign/sigv4.ts';
import { type SignedRequest, Signer } from '../../../shared/delivery/engine/signer.ts';
import { Sha256 } from '../../support/posting-endpoint.ts';

const REQUESTS = 10_000;
const REQUESTS_PER_SIGNER = 20;
const BODY_BYTES_MAX = 128 * 1024;

/** What the SDK would send. */
async function reference(endpoint: string, region: string, credentials: Credentials, request: SignedRequest) {
  const { protocol, host, hostname } = new URL(endpoint);
  const signer = new SignatureV4({
    service: 'execute-api',
    region,
    credentials,
    sha256: Sha256,
    applyChecksum: false,
  });
  const { path, body, signedAtMs } = request;
  const headers = { 'content-type': 'application/octet-stream', host };
  const unsigned = { method: 'POST', protocol, hostname, path, query: {}, headers, body };
  const signed = await signer.sign(unsigned, { signingDate: new Date(signedAtMs) });
  return signed.headers;
}

const headersOf = ({ stamp, signature }: SignedRequest) => ({
  'x-amz-date': stamp.date,
  authorization: stamp.authorization + signature,
  ...(stamp.sessionToken !== undefined && { 'x-amz-security-token': stamp.sessionToken }),
});

const word = (characters: string, minLength = 1, maxLength = 20) =>
  fc.string({ unit: fc.constantFrom(...characters), minLength, maxLength });
const alphanumeric = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

const connectionIds = fc.oneof(
  word(`${alphanumeric}-_`, 11, 15).map((id) => `${id}=`),
  word(`${alphanumeric}-_=+/!'()*~.:@% ü€`).filter((id) => !/^\.{1,2}$/.test(id)),
);
const endpoints = fc
  .tuple(
    fc.constantFrom('http:', 'https:'),
    fc.constantFrom('abc.execute-api.eu-west-1.amazonaws.com', 'localhost', '127.0.0.1', '[::1]'),
    fc.constantFrom('', ':3001', ':443', ':80'),
    fc.constantFrom('', '/', '/prod', '/prod/', '/$default', '/a-b_c/d', '/st age', '/x//y'),
  )
  .map((parts) => parts.join('').replace(/^([a-z]+:)/, '$1//'));
const credentials = fc.record(
  {
    accessKeyId: word(alphanumeric, 16, 20),
    secretAccessKey: word(`${alphanumeric}+/`, 1, 80),
    sessionToken: word(`${alphanumeric}+/=`, 1, 600),
  },
  { requiredKeys: ['accessKeyId', 'secretAccessKey'] },
);
const bodies = fc
  .tuple(fc.oneof({ weight: 20, arbitrary: fc.nat(300) }, fc.nat(BODY_BYTES_MAX)), fc.nat(255))
  .map(([length, byte]) => new Uint8Array(length).fill(byte));
/** How far the clock goes on: not at all, over seconds, over days. */
const steps = fc.oneof(
  fc.constant(0),
  fc.nat(1_500),
  fc.constantFrom(86_400_000, 43_200_000, 59_999, -1_000),
);

const requests = fc.array(
  fc.record({
    connectionId: connectionIds,
    body: fc.option(bodies, { nil: undefined, freq: 3 }),
    rotated: fc.option(credentials, { nil: undefined, freq: 3 }),
    stepMs: steps,
  }),
  { minLength: REQUESTS_PER_SIGNER, maxLength: REQUESTS_PER_SIGNER },
);

describe('Signer', () => {
  it(`signs as the SDK does, in ${REQUESTS} random requests`, async () => {
    const start = fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2039, 11) });
    const region = fc.constantFrom('us-east-1', 'eu-central-1', 'ap-southeast-2');
    const property = fc.asyncProperty(endpoints, region, credentials, bodies, start, requests, check);
    await fc.assert(property, { numRuns: REQUESTS / REQUESTS_PER_SIGNER });
  }, 120_000);

  async function check(
    endpoint: string,
    region: string,
    first: Credentials,
    firstBody: Uint8Array,
    startMs: number,
    wanted: readonly {
      connectionId: string;
      body: Uint8Array | undefined;
      rotated: Credentials | undefined;
      stepMs: number;
    }[],
  ): Promise<void> {
    const signer = new Signer(endpoint, region);
    let [keys, body, nowMs] = [first, firstBody, startMs];
    for (const request of wanted) {
      [keys, body, nowMs] = [request.rotated ?? keys, request.body ?? body, nowMs + request.stepMs];
      const signed = signer.sign(request.connectionId, body, keys, nowMs);
      expect(await reference(endpoint, region, keys, signed)).toMatchObject(headersOf(signed));
    }
  }

  it('puts @ and %3D on the wire', () => {
    const signer = new Signer('https://abc.execute-api.eu-west-1.amazonaws.com/prod', 'eu-west-1');
    const keys = { accessKeyId: 'a', secretAccessKey: 'b' };
    expect(signer.sign('L0SM9cOFv-cCI_w=', new Uint8Array(), keys, 0).path).toBe(
      '/prod/@connections/L0SM9cOFv-cCI_w%3D',
    );
  });
});

describe('HmacKey', () => {
  it('signs as createHmac does, with keys of every length', () => {
    const keys = fc.uint8Array({ maxLength: 200 });
    const texts = fc.string({ unit: fc.constantFrom(...'ab\n/é'), maxLength: 512 });
    fc.assert(
      fc.property(keys, fc.array(texts, { maxLength: 3 }), (bytes, all) => {
        const key = new HmacKey(Buffer.from(bytes));
        for (const text of all) {
          const expected = createHmac('sha256', bytes).update(text, 'latin1').digest('hex');
          expect(key.sign(text, 'hex')).toBe(expected);
          expect(key.sign(text).toString('hex')).toBe(expected);
        }
      }),
    );
  });

  it('refuses a text that has no room', () => {
    expect(() => new HmacKey(Buffer.from('a')).sign('x'.repeat(513))).toThrow(RangeError);
  });
});
