import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PreparedRequest } from '../../../shared/aws/sdk/prepared.ts';
import { encodeRequest, type Request } from '../../../shared/aws/sdk/request.ts';
import { RequestSigner } from '../../../shared/aws/sdk/signer.ts';
import type { Credentials } from '../../../shared/aws/sign/sigv4.ts';

const NOW_MS = Date.UTC(2026, 10, 20, 12);
const KEYS: Credentials = { accessKeyId: 'AKIA', secretAccessKey: 'secret', sessionToken: 'token/+=' };

const requestOf = (headers: Readonly<Record<string, string>> = {}, body = '{}'): Request => ({
  protocol: 'https:',
  hostname: 'dynamodb.eu-west-1.amazonaws.com',
  method: 'POST',
  path: '/',
  headers: {
    host: 'dynamodb.eu-west-1.amazonaws.com',
    'content-type': 'application/x-amz-json-1.0',
    'content-length': String(Buffer.byteLength(body)),
    'x-amz-target': 'DynamoDB_20120810.GetItem',
    'user-agent': 'aws-sdk-js/3 ua/2.1',
    'x-amz-user-agent': 'aws-sdk-js/3  more',
    'amz-sdk-invocation-id': 'first',
    'amz-sdk-request': 'attempt=1; max=3',
    ...headers,
  },
  body,
});
const signerOf = (keys: Credentials) =>
  new RequestSigner({
    credentials: async () => keys,
    region: async () => 'eu-west-1',
    defaultSigningName: 'dynamodb',
  });

async function prepare(request: Request, keys = KEYS): Promise<PreparedRequest | undefined> {
  const signer = signerOf(keys);
  const signed = await signer.sign(request, { signingDate: NOW_MS });
  return PreparedRequest.of(signed, (credentials, scope) => signer.keyOf(credentials, scope));
}

/** Start, headers by name and body. */
function parse(bytes: Buffer) {
  const end = bytes.indexOf('\r\n\r\n');
  const [start, ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  return { start, headers: lines.sort(), body: bytes.toString('utf8', end + 4) };
}

const particulars = fc.record({
  body: fc.string({ unit: 'grapheme' }),
  credentials: fc.constantFrom<Credentials>(KEYS, { accessKeyId: 'AKIB', secretAccessKey: 'other' }),
  nowMs: fc.integer({ min: NOW_MS, max: NOW_MS + 3 * 86_400_000 }),
  invocationId: fc.uuid(),
  traceId: fc.constantFrom(undefined, 'Root=1-5759e988-bd862e3fe1be46a994272793'),
});

describe('PreparedRequest', () => {
  it('makes the requests that the SDK and our signer would', async () => {
    const prepared = await prepare(requestOf());
    await fc.assert(
      fc.asyncProperty(particulars, async (each) => {
        const { body, credentials, nowMs, invocationId, traceId } = each;
        const headers = {
          'amz-sdk-invocation-id': invocationId,
          ...(traceId && { 'x-amzn-trace-id': traceId }),
        };
        const expected = await signerOf(credentials).sign(requestOf(headers, body), { signingDate: nowMs });
        const bytes = prepared?.bytesOf(each) ?? Buffer.alloc(0);
        expect(parse(bytes)).toEqual(parse(encodeRequest(expected)));
      }),
    );
  });

  it('begins to count attempts anew', async () => {
    const prepared = await prepare(requestOf({ 'amz-sdk-request': 'attempt=2; max=3' }));
    const bytes = prepared?.bytesOf({
      body: '{}',
      credentials: KEYS,
      nowMs: NOW_MS,
      invocationId: 'i',
      traceId: undefined,
    });
    expect(String(bytes)).toContain('amz-sdk-request: attempt=1; max=3\r\n');
  });

  it('is not made of a request with a header that may mean something', async () => {
    expect(await prepare(requestOf({ traceparent: '00-1-2-01' }))).toBeUndefined();
  });

  it('is not made of a request without a signature of ours', () => {
    expect(PreparedRequest.of(requestOf(), () => expect.fail('no key is needed'))).toBeUndefined();
  });

  it('refuses what would be another header', async () => {
    const prepared = await prepare(requestOf());
    const traceId = 'Root=1\r\nx: y';
    expect(() =>
      prepared?.bytesOf({ body: '{}', credentials: KEYS, nowMs: NOW_MS, invocationId: 'i', traceId }),
    ).toThrow('expected a header of one line of Latin-1');
  });
});
