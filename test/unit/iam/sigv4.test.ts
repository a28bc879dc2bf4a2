import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { HttpRequest } from '@smithy/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HttpRequest as SignedRequest } from '../../../infra/local/http/engine.ts';
import { parseAuthorization, verify } from '../../../infra/local/iam/sigv4.ts';

/** What the signer wants for a hash: with a secret, an HMAC. */
class Sha256 {
  readonly #hash;
  constructor(secret?: ArrayBuffer | ArrayBufferView | string) {
    this.#hash =
      secret === undefined ? createHash('sha256') : createHmac('sha256', Buffer.from(secret as string));
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.#hash.digest());
  }
  reset(): void {}
}

interface Parts {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string | string[]>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const NOW_MS = Date.UTC(2024, 0, 20, 11, 55, 8);
const credentials = {
  accessKeyId: 'ASIAEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};

const PARTS: Parts = {
  method: 'POST',
  path: '/prod/@connections/L0SM9cOFvHcCIhw%3D',
  query: {},
  headers: { host: '127.0.0.1:4566', 'content-type': 'application/octet-stream' },
  body: Buffer.from('{"type":"message"}'),
};

interface Signing {
  readonly service?: string;
  readonly sessionToken?: string;
  readonly atMs?: number;
}

/** Signs as the SDK does, and gives the request as Node's server hands it on. */
async function sign(
  { method, path, query, headers, body }: Parts,
  { service = 'execute-api', sessionToken, atMs = NOW_MS }: Signing = {},
): Promise<SignedRequest> {
  const signer = new SignatureV4({
    service,
    region: 'us-east-1',
    sha256: Sha256,
    credentials: { ...credentials, ...(sessionToken !== undefined && { sessionToken }) },
  });
  const request: HttpRequest = {
    protocol: 'http:',
    hostname: '127.0.0.1',
    method,
    path,
    query,
    headers: { ...headers },
    body,
  };
  const signed = await signer.sign(request, { signingDate: new Date(atMs) });
  return { method, url: path + queryString(query), headers: signed.headers };
}

function queryString(query: Parts['query']): string {
  const pairs = Object.entries(query).flatMap(([name, values]) =>
    [values].flat().map((value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`),
  );
  return pairs.length > 0 ? `?${pairs.join('&')}` : '';
}

function check(request: SignedRequest, body: Uint8Array, nowMs = NOW_MS, service = 'execute-api') {
  const authorization = parseAuthorization(String(request.headers.authorization));
  if ('kind' in authorization) return authorization;
  const { secretAccessKey } = credentials;
  return verify(request, Buffer.from(body), authorization, {
    secretAccessKey,
    region: 'us-east-1',
    service,
    nowMs,
  });
}

const segment = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_-]{15}=$/).map(encodeURIComponent),
  fc
    .string({ unit: 'grapheme' })
    .filter((text) => text.isWellFormed())
    .map(encodeURIComponent),
  fc.constantFrom('@connections', '%40connections', '.', '..', '', "a!'()*b", '%2F', 'prod'),
);
const wellFormed = fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed());
const parts: fc.Arbitrary<Parts> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'DELETE'),
  path: fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`),
  // A query named __proto__ is lost in the signer itself.
  query: fc.dictionary(
    wellFormed.filter((name) => name !== '__proto__'),
    fc.oneof(wellFormed, fc.array(wellFormed, { minLength: 1, maxLength: 3 })),
    {
      maxKeys: 4,
    },
  ),
  headers: fc
    .dictionary(fc.stringMatching(/^x-[a-z][a-z0-9-]{0,10}$/), fc.stringMatching(/^[!-~][ -~\t]*[!-~]$/), {
      maxKeys: 4,
    })
    .map((headers) => ({ ...headers, host: '127.0.0.1:4566' })),
  body: fc.uint8Array({ maxLength: 200 }),
});

describe('a signature', () => {
  it('of the SDK’s own signer passes, whatever is signed', async () => {
    await fc.assert(
      fc.asyncProperty(
        parts,
        fc.option(fc.base64String(), { nil: undefined }),
        async (each, sessionToken) => {
          const request = await sign(each, sessionToken ? { sessionToken } : {});
          expect(check(request, each.body)).toBeUndefined();
        },
      ),
      { numRuns: 500 },
    );
  });

  it('does not pass for somebody with another secret, right after it did for its owner', async () => {
    const request = await sign(PARTS);
    const authorization = parseAuthorization(String(request.headers.authorization));
    if ('kind' in authorization) throw new Error(authorization.message);
    const faultOf = (secretAccessKey: string) =>
      verify(request, Buffer.from(PARTS.body), authorization, {
        ...{ secretAccessKey, region: 'us-east-1', service: 'execute-api', nowMs: NOW_MS },
      })?.kind;
    const { secretAccessKey } = credentials;
    expect([secretAccessKey, 'another', secretAccessKey].map(faultOf)).toEqual([
      undefined,
      'invalid',
      undefined,
    ]);
  });

  it('passes with a path that has the escaped padding of a connection id', async () => {
    expect(check(await sign(PARTS), PARTS.body)).toBeUndefined();
  });

  it.each([
    ['another method', (request: SignedRequest) => ({ ...request, method: 'DELETE' })],
    [
      'another path',
      (request: SignedRequest) => ({ ...request, url: '/prod/@connections/L0SM9cOFvHcCIhx%3D' }),
    ],
    ['a query', (request: SignedRequest) => ({ ...request, url: `${request.url}?a=b` })],
    [
      'another signed header',
      (request: SignedRequest) => ({
        ...request,
        headers: { ...request.headers, 'content-type': 'text/plain' },
      }),
    ],
    [
      'a signed header less',
      ({ headers: { 'content-type': _, ...headers }, ...request }: SignedRequest) => ({
        ...request,
        headers,
      }),
    ],
    [
      'one more session token',
      (request: SignedRequest) => ({
        ...request,
        headers: { ...request.headers, 'x-amz-security-token': 'another' },
      }),
    ],
  ])('does not fit %s', async (_, change) => {
    const request = await sign(PARTS, { sessionToken: 'token' });
    expect(check(change(request) as SignedRequest, PARTS.body)).toEqual({
      kind: 'invalid',
      message: expect.stringMatching(/^The request signature we calculated does not match/),
    });
  });

  it('does not fit another body, whatever x-amz-content-sha256 says of it', async () => {
    const request = await sign(PARTS);
    expect(check(request, Buffer.from('{"type":"massage"}'))).toMatchObject({ kind: 'invalid' });
    const unsigned = { ...PARTS.headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    expect(check(await sign({ ...PARTS, headers: unsigned }), PARTS.body)).toMatchObject({ kind: 'invalid' });
  });

  it('may leave the payload out for S3 alone', async () => {
    const headers = { ...PARTS.headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    const request = await sign({ ...PARTS, path: '/', headers }, { service: 's3' });
    expect(check(request, Buffer.from('anything'), NOW_MS, 's3')).toBeUndefined();
  });

  it('is good for 15 minutes before and after its time', async () => {
    const request = await sign(PARTS);
    const minutes = (n: number) => NOW_MS + n * 60_000;
    expect(check(request, PARTS.body, minutes(15) + 999)).toBeUndefined();
    expect(check(request, PARTS.body, minutes(-15))).toBeUndefined();
    expect(check(request, PARTS.body, minutes(15) + 1_000)).toEqual({
      kind: 'invalid',
      message:
        'Signature expired: 20240120T115508Z is now earlier than 20240120T115509Z (20240120T121009Z - 15 min.)',
    });
    expect(check(request, PARTS.body, minutes(-15) - 1_000)).toEqual({
      kind: 'invalid',
      message:
        'Signature not yet current: 20240120T115508Z is still later than 20240120T115507Z (20240120T114007Z + 15 min.)',
    });
  });

  it('is for one service and one region', async () => {
    const request = await sign(PARTS);
    expect(check(request, PARTS.body, NOW_MS, 'sqs')).toEqual({
      kind: 'invalid',
      message: "Credential should be scoped to correct service: 'sqs'. ",
    });
    const authorization = String(request.headers.authorization).replace('us-east-1', 'eu-west-1');
    expect(check({ ...request, headers: { ...request.headers, authorization } }, PARTS.body)).toEqual({
      kind: 'invalid',
      message: "Credential should be scoped to a valid region, not 'eu-west-1'. ",
    });
  });

  it.each([
    ['Basic dXNlcg==', 'incomplete', "Unsupported AWS 'algorithm': 'Basic'."],
    [
      'AWS4-HMAC-SHA256 Credential=AKIA/20240120/us-east-1/sqs/aws4_request',
      'incomplete',
      "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. ",
    ],
    [
      'AWS4-HMAC-SHA256 Credential=AKIA, SignedHeaders=host, Signature=00',
      'incomplete',
      'Credential must have exactly 5 slash-delimited elements',
    ],
  ])('is more than %s', (header, kind, message) => {
    expect(parseAuthorization(header)).toEqual({ kind, message: expect.stringContaining(message) });
  });

  it('covers the host and has a time', async () => {
    const { headers, ...request } = await sign(PARTS);
    const authorization = String(headers.authorization).replace(';host;', ';');
    expect(check({ ...request, headers: { ...headers, authorization } }, PARTS.body)?.message).toBe(
      "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    );
    expect(
      check({ ...request, headers: { ...headers, 'x-amz-date': 'today' } }, PARTS.body)?.message,
    ).toMatch(/^Date must be in ISO-8601 'basic format'. Got 'today'/);
    const { 'x-amz-date': _, ...undated } = headers;
    expect(check({ ...request, headers: undated }, PARTS.body)?.message).toMatch(
      /requires existence of either a 'X-Amz-Date' or a 'Date' header/,
    );
    expect(
      check({ ...request, headers: { ...headers, 'x-amz-date': '20240121T000000Z' } }, PARTS.body)?.message,
    ).toMatch(/^Date in Credential scope does not match YYYYMMDD/);
  });
});
