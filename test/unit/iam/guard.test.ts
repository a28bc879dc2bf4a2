import { SignatureV4 } from '@smithy/signature-v4';
import { expect, it, vi } from 'vitest';
import {
  type HttpEngine,
  type HttpRequest,
  type HttpResponse,
  parseInput,
} from '../../../infra/local/http/engine.ts';
import { sqs } from '../../../infra/local/sqs/rights.ts';
import { Sha256 } from '../../support/posting-endpoint.ts';
import { allow, iamOf, roleWith, stackOf, worker } from './stack.ts';

/** What comes of requests to SQS with the rights of a function that may send to one queue. */

const iam = iamOf(
  stackOf({
    Role: roleWith(allow('sqs:SendMessage', { Resource: 'arn:aws:sqs:us-east-1:000000000000:Mine' })),
    Worker: worker,
  }),
);
const session = iam.assumeRole('arn:aws:iam::000000000000:role/App-Role', 'test');
const BODY = (queue: string) => JSON.stringify({ QueueUrl: `http://localhost/000000000000/${queue}` });

interface Call {
  readonly operation?: string;
  readonly queue?: string;
  readonly credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
  /** What arrives in place of what was signed. */
  readonly arrives?: string;
}

async function signed({
  operation = 'SendMessage',
  queue = 'Mine',
  credentials,
}: Call): Promise<HttpRequest> {
  const headers = { host: 'localhost', 'x-amz-target': `AmazonSQS.${operation}` };
  const request = { method: 'POST', url: '/', headers };
  if (!credentials) return request;
  const signer = new SignatureV4({ service: 'sqs', region: 'us-east-1', sha256: Sha256, credentials });
  const unsigned = { ...request, protocol: 'http:', hostname: 'localhost', path: '/', body: BODY(queue) };
  // The clock of `iamOf` stands still.
  return { ...request, headers: (await signer.sign(unsigned, { signingDate: new Date(0) })).headers };
}

/** The status, and what the engine behind the guard has seen of it. */
async function answerTo(call: Call): Promise<[status: number, seen: number, text: string]> {
  let [seen, status, text] = [0, 200, ''];
  const engine: HttpEngine = { handle: () => void seen++ };
  const response: HttpResponse = {
    statusCode: 200,
    setHeader: () => {},
    writeHead: (code) => {
      status = code;
      return response;
    },
    end: (said = '') => {
      text = String(said);
    },
  };
  const body = Buffer.from(call.arrives ?? BODY(call.queue ?? 'Mine'));
  await iam.guard.before(sqs, engine).handle(await signed(call), body, response);
  return [status, seen, text];
}

it('lets in what is signed by somebody who may do it', async () => {
  expect(await answerTo({ credentials: session })).toEqual([200, 1, '']);
});

it.each<[string, Call, string]>([
  ['without a signature', {}, 'MissingAuthenticationToken'],
  [
    'with a key that nobody has',
    { credentials: { ...session, accessKeyId: 'AKIAOTHER' } },
    'UnrecognizedClient',
  ],
  [
    'with the token of another session',
    { credentials: { ...session, sessionToken: 'x' } },
    'UnrecognizedClient',
  ],
  ['with a wrong secret', { credentials: { ...session, secretAccessKey: 'x' } }, 'InvalidSignature'],
  ['that was changed on its way', { credentials: session, arrives: BODY('Other') }, 'InvalidSignature'],
  ['to another queue', { credentials: session, queue: 'Other' }, 'AccessDenied'],
  ['for another action', { credentials: session, operation: 'PurgeQueue' }, 'AccessDenied'],
])('refuses a request %s, and its engine does not see it', async (_, call, kind) => {
  const [status, seen, text] = await answerTo(call);
  expect([status, seen]).toEqual([403, 0]);
  expect(text).toContain(kind);
});

it.each([
  [1_000, true],
  [1_001, false],
])('lets in a request for %i resources: %s', async (count, isLetIn) => {
  const request = await signed({ credentials: { accessKeyId: 'AKIA', secretAccessKey: 'secret' } });
  const response = { statusCode: 200, setHeader: () => {}, writeHead: () => response, end: () => {} };
  const accesses = Array.from({ length: count }, (_, index) => ({
    action: 'sqs:SendMessage',
    resource: `arn:aws:sqs:us-east-1:000000000000:${index}`,
  }));
  expect(iam.guard.of(sqs)(request, Buffer.from(BODY('Mine')), response, () => accesses)).toBe(isLetIn);
});

it('and the engine behind it read a body once', async () => {
  const body = Buffer.from(BODY('Mine'));
  const parse = vi.spyOn(JSON, 'parse');
  const engine: HttpEngine = { handle: (_request, received) => void parseInput(received) };
  const response = { statusCode: 200, setHeader: () => {}, writeHead: () => response, end: () => {} };
  await iam.guard.before(sqs, engine).handle(await signed({ credentials: session }), body, response);
  const reads = parse.mock.calls.filter(([text]) => text === String(body)).length;
  parse.mockRestore();
  expect(reads).toBe(1);
});
