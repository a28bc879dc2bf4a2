import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { TransportName } from '../../shared/aws/transports.ts';
import { createPost, postSettings } from '../../shared/delivery/create-post.ts';
import { loadConfig } from '../../shared/lambda/config.ts';
import { PostingEndpoint } from '../support/posting-endpoint.ts';

const endpoint = new PostingEndpoint({ hangs: () => {} });
let port: number;
beforeAll(async () => {
  port = await endpoint.listen();
  // The SDK takes them from there itself.
  for (const [name, value] of Object.entries(KEY)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await endpoint.close();
});

const KEY = { AWS_ACCESS_KEY_ID: 'AKIAMINE', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'token' };
const TRACE = 'Root=1-5759e988-bd862e3fe1be46a994272793';

/** Each value is in one variable only. */
function postOver(TRANSPORT: TransportName, POST_TIMEOUT_MS = '29000') {
  const CALLBACK_URL = `http://127.0.0.1:${port}/prod`;
  const env = { ...KEY, TRANSPORT, CALLBACK_URL, POST_TIMEOUT_MS, AWS_REGION: 'eu-north-1' };
  return createPost(loadConfig(env, postSettings), { now: Date.now }, () => TRACE);
}
const frame = new TextEncoder().encode('{"type":"message"}');

it.each<[TransportName, boolean]>([
  ['sdk', true],
  ['sockets', false],
])('posts with the transport that is asked for: %s', async (transport, isSdk) => {
  const post = await postOver(transport);
  expect(await post(transport, frame)).toEqual({ outcome: 'delivered' });
  const { headers, path } = await endpoint.request(transport);
  expect('amz-sdk-invocation-id' in headers).toBe(isSdk);
  expect(path).toBe(`/prod/@connections/${transport}`);
  expect(headers.authorization).toMatch(/Credential=\w+\/\d+\/eu-north-1\/execute-api\//);
});

it('hands the trace of the invocation on', async () => {
  const post = await postOver('sockets');
  await post('traced', frame);
  const { headers } = await endpoint.request('traced');
  expect(headers['x-amzn-trace-id']).toBe(TRACE);
  expect(headers.authorization).toContain('Credential=AKIAMINE/');
  expect(headers['x-amz-security-token']).toBe('token');
});

it.each<TransportName>(['sdk', 'sockets'])(
  'waits for an answer as long as it is told to: %s',
  async (transport) => {
    const post = await postOver(transport, '61');
    expect(await post('hangs', frame)).toMatchObject({
      outcome: 'unanswered',
      reason: expect.stringContaining('61 ms'),
    });
  },
);
