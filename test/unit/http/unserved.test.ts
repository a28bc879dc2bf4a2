import { describe, expect, it } from 'vitest';
import type { HttpRequest, HttpResponse } from '../../../infra/local/http/engine.ts';
import { unserved } from '../../../infra/local/http/unserved.ts';

const SERVED = { services: ['dynamodb', 'sqs', 'execute-api'], stages: ['prod'] };
const RUNS = 'expected a service that Fanwire runs locally (dynamodb, sqs, execute-api), got';
const CALLBACK = (path: string) =>
  `expected /prod/@connections/{connectionId}, got ${path}: the endpoint of @connections ends with the stage`;

const signedFor = (service: string) => ({
  authorization: `AWS4-HMAC-SHA256 Credential=AKID/20261120/eu-west-1/${service}/aws4_request, SignedHeaders=host, Signature=0`,
});
const FORM = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };

interface Written {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function ask(request: Partial<HttpRequest>): Written | undefined {
  const whole = { method: 'POST', url: '/', headers: {}, ...request };
  let written: Written | undefined;
  let status = 200;
  let headers: Record<string, unknown> = {};
  const response: HttpResponse = {
    statusCode: 200,
    setHeader: (name, value) => {
      headers = { ...headers, [name.toLowerCase()]: value };
    },
    writeHead: (code, more) => {
      status = code;
      headers = { ...headers, ...more };
      return response;
    },
    end: (body = '') => {
      written = { status, headers, body: String(body) };
    },
  };
  unserved(whole, SERVED)?.handle(whole, Buffer.alloc(0), response);
  return written;
}

describe('a service that does not run is named, in its own protocol', () => {
  it.each(['1.0', '1.1'])('JSON %s', (version) => {
    const contentType = `application/x-amz-json-${version}`;
    const headers = {
      ...signedFor('kinesis'),
      'x-amz-target': 'Kinesis_20131202.PutRecord',
      'content-type': contentType,
    };
    const written = ask({ headers });
    expect(written).toMatchObject({ status: 400, headers: { 'content-type': contentType } });
    expect(JSON.parse(written?.body ?? '')).toEqual({
      __type: 'com.amazon.coral.service#UnknownOperationException',
      message: `${RUNS} kinesis`,
    });
  });

  it('JSON without a signature: by its target', () => {
    const written = ask({ headers: { 'x-amz-target': 'Kinesis_20131202.PutRecord' } });
    expect(JSON.parse(written?.body ?? '').message).toBe(`${RUNS} Kinesis_20131202`);
  });

  it.each([
    [signedFor('sns'), `${RUNS} sns`],
    [{}, `${RUNS} another`],
    [
      signedFor('sqs'),
      'expected the X-Amz-Target of sqs, which is served in its JSON protocol only, got none',
    ],
  ])('the query protocol, signed with %j', (headers, message) => {
    const written = ask({ headers: { ...headers, ...FORM } });
    expect(written).toMatchObject({ status: 400, headers: { 'content-type': 'text/xml' } });
    expect(written?.body).toContain(
      `<Error><Type>Sender</Type><Code>InvalidAction</Code><Message>${message}</Message></Error>`,
    );
  });

  it('REST with JSON', () => {
    const written = ask({ url: '/2015-03-31/functions', method: 'GET', headers: signedFor('lambda') });
    expect(written).toMatchObject({
      status: 404,
      headers: { 'x-amzn-errortype': 'UnknownOperationException' },
    });
    expect(JSON.parse(written?.body ?? '')).toEqual({ message: `${RUNS} lambda` });
  });

  it.each([
    [{ url: '/?list-type=2', method: 'GET', headers: signedFor('s3') }],
    [{ url: '/b/k?X-Amz-Credential=AKID%2F20261120%2Feu-west-1%2Fs3%2Faws4_request', method: 'PUT' }],
    [
      {
        url: '/b/k',
        method: 'PUT',
        headers: {
          authorization: 'AWS4-ECDSA-P256-SHA256 Credential=AKID/20261120/s3/aws4_request, SignedHeaders=a',
        },
      },
    ],
  ])('REST with XML, %j', (request) => {
    const written = ask(request);
    expect(written).toMatchObject({ status: 501, headers: { 'content-type': 'application/xml' } });
    expect(written?.body).toContain(
      `<Error><Code>NotImplemented</Code><Message>${RUNS} s3</Message></Error>`,
    );
  });
});

it.each([
  ['/@connections/L0SM9cOFvHcCIhw%3D', {}],
  ['/%40connections/L0SM9cOFvHcCIhw%3D', signedFor('execute-api')],
  ['/@connections', {}],
])('%s lacks its stage, which the answer says', (url, headers) => {
  const written = ask({ url, headers });
  expect(written).toMatchObject({ status: 403, headers: { 'x-amzn-errortype': 'ForbiddenException' } });
  expect(JSON.parse(written?.body ?? '').message).toBe(CALLBACK(url));
});

it.each([
  [{ method: 'GET' }],
  [{ method: 'GET', url: '/page.js', headers: { authorization: 'Bearer x' } }],
  [{ url: '/page.js' }],
  [{ url: '/a@connections/b' }],
])('%j is no request to AWS', (request) => {
  expect(ask(request)).toBeUndefined();
});

it('what a request says cannot break out of the XML', () => {
  const written = ask({ url: '/@connections/<b>&', headers: FORM });
  expect(written?.body).toContain('got /@connections/&lt;b&gt;&amp;:');
});
