import { execFile } from 'node:child_process';
import { Agent as HttpsAgent } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  ApiGatewayManagementApiClient,
  ApiGatewayManagementApiServiceException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TransportOptions } from '../../shared/aws/http/transport.ts';
import { SocketHandler } from '../../shared/aws/sdk/handler.ts';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { createEngine } from '../../shared/delivery/engine/engine.ts';
import { createSockets } from '../../shared/delivery/engine/sockets.ts';
import type { Post, PostOutcome } from '../../shared/delivery/post.ts';
import { createSdkPost } from '../../shared/delivery/sdk-post.ts';
import { selfSigned } from '../support/certificate.ts';
import {
  answer,
  type Behaviour,
  CREDENTIALS,
  PostingEndpoint,
  REGION,
  type Received,
  signatureOf,
} from '../support/posting-endpoint.ts';

/** Nothing here takes as long, unless it never ends. */
const TIMEOUT_MS = 10_000;
const SHORT_TIMEOUT_MS = 150;

const frame = new TextEncoder().encode('{"type":"message"}');
const certificate = selfSigned();

interface Target extends TransportOptions {
  readonly timeoutMs: number;
}
interface Poster {
  readonly post: Post;
  close(): void;
}

function sdkClient({ endpoint, ca }: TransportOptions): ApiGatewayManagementApiClient {
  return new ApiGatewayManagementApiClient({
    endpoint,
    region: REGION,
    credentials: CREDENTIALS,
    maxAttempts: 1,
    requestHandler: { httpsAgent: new HttpsAgent({ keepAlive: true, ...(ca !== undefined && { ca }) }) },
  });
}

function sdkPoster(client: ApiGatewayManagementApiClient, { timeoutMs }: Target): Poster {
  return {
    post: createSdkPost(client, timeoutMs),
    close: () => client.destroy(),
  };
}

const enginePoster = (target: Target, traceId?: () => string | undefined): Poster =>
  createEngine({
    endpoint: target.endpoint,
    region: REGION,
    credentials: async () => CREDENTIALS,
    transport: createSockets(target),
    timeoutMs: target.timeoutMs,
    now: Date.now,
    ...(traceId && { traceId }),
  });

/** As all our other calls are made. */
function leanClient({ endpoint, ca }: TransportOptions): ApiGatewayManagementApiClient {
  return lean(ApiGatewayManagementApiClient, {
    endpoint,
    region: REGION,
    credentials: CREDENTIALS,
    maxAttempts: 1,
    requestHandler: new SocketHandler(ca === undefined ? {} : { ca }),
  });
}

const POSTERS: Record<string, (target: Target) => Poster> = {
  'the SDK': (target) => sdkPoster(sdkClient(target), target),
  'the lean SDK': (target) => sdkPoster(leanClient(target), target),
  'the engine': (target) => enginePoster(target),
};
const OURS = Object.entries(POSTERS).filter(([name]) => name !== 'the SDK');
const PROTOCOLS = ['http', 'https'] as const;

const says =
  (text: string): Behaviour =>
  ({ socket }) =>
    void socket.write(text);
const closesAfter =
  (text: string): Behaviour =>
  ({ socket }) =>
    void socket.end(text);

/** Answers that come at once, and what they mean to every poster. */
const ANSWERS: Record<string, [text: string, outcome: PostOutcome]> = {
  ok: [answer('200 OK'), { outcome: 'delivered' }],
  'ok=': [answer('200 OK\r\ncontent-type: application/json'), { outcome: 'delivered' }],
  chunked: [
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nx: y\r\n\r\n',
    { outcome: 'delivered' },
  ],
  interim: [`HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n${answer('200 OK')}`, { outcome: 'delivered' }],
  gone: [answer('410 Gone\r\nx-amzn-errortype: GoneException'), { outcome: 'gone' }],
  'gone without a type': [answer('410 Gone'), { outcome: 'gone' }],
  'gone in the body': [answer('410 Gone', '{"__type":"GoneException"}'), { outcome: 'gone' }],
  malformed: [
    answer('400 Bad Request\r\nx-amzn-errortype: BadRequestException', '{"message":"Invalid connectionId"}'),
    { outcome: 'gone' },
  ],
  'too large': [
    answer('413 Large\r\nx-amzn-errortype: PayloadTooLargeException', '{"message":"Too large"}'),
    { outcome: 'failed', reason: 'PayloadTooLargeException (HTTP 413)' },
  ],
  throttled: [
    answer('429 Slow\r\nx-amzn-errortype: LimitExceededException:http://x/', '{"message":null}'),
    { outcome: 'throttled', reason: 'LimitExceededException (HTTP 429)' },
  ],
  forbidden: [
    answer('403 No\r\nx-amzn-errortype: ForbiddenException', '{"message":"Forbidden"}'),
    { outcome: 'failed', reason: 'ForbiddenException (HTTP 403)' },
  ],
  'forbidden by IAM': [
    answer('403 No\r\nx-amzn-errortype: AccessDeniedException', '{"Message":"User is not authorized"}'),
    { outcome: 'failed', reason: 'AccessDeniedException (HTTP 403)' },
  ],
  broken: [
    answer('500 Oops', '{"code":"aws#InternalServerError","message":"Internal"}'),
    { outcome: 'failed', reason: 'InternalServerError (HTTP 500)' },
  ],
  'broken without words': [answer('503 Oops'), { outcome: 'failed', reason: 'Unknown (HTTP 503)' }],
};

/** Answers that never come, come later, or are none. */
const BEHAVIOURS: Record<string, Behaviour> = {
  ...Object.fromEntries(Object.entries(ANSWERS).map(([id, [text]]) => [id, says(text)])),
  never: () => {},
  'closes after': closesAfter(answer('200 OK')),
  'says close': says(answer('200 OK\r\nconnection: close')),
  'closes before': closesAfter(''),
  'closes mid-head': closesAfter('HTTP/1.1 200 OK\r\ncontent-len'),
  'closes mid-body': closesAfter('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{'),
  garbage: says('what?\r\n\r\n'),
  'second is dead': ({ socket, before }) =>
    before === 0 ? socket.write(answer('200 OK')) : socket.destroy(),
  'all are dead': ({ socket }) => socket.destroy(),
};

const endpoints: Record<(typeof PROTOCOLS)[number], PostingEndpoint> = {
  http: new PostingEndpoint(BEHAVIOURS),
  https: new PostingEndpoint(BEHAVIOURS, certificate),
};
const ports = { http: 0, https: 0 };
beforeAll(async () => {
  for (const protocol of PROTOCOLS) ports[protocol] = await endpoints[protocol].listen();
});
afterAll(async () => {
  for (const protocol of PROTOCOLS) await endpoints[protocol].close();
});

const open: Poster[] = [];
afterEach(async () => {
  for (const poster of open.splice(0)) poster.close();
  for (const protocol of PROTOCOLS) {
    await endpoints[protocol].noSockets();
    endpoints[protocol].received.length = 0;
    Object.assign(endpoints[protocol], { socketsAtMost: 0, socketsOpened: 0, sessionsReused: 0 });
  }
});

const targetOf = (protocol: (typeof PROTOCOLS)[number], host = '127.0.0.1'): Target => ({
  endpoint: `${protocol}://${host}:${ports[protocol]}/prod`,
  timeoutMs: TIMEOUT_MS,
  ca: certificate.cert,
});

describe.each(PROTOCOLS)('over %s', (protocol) => {
  const endpoint = endpoints[protocol];
  const start = (create: (target: Target) => Poster, options: Partial<Target> = {}): Poster => {
    const poster = create({ ...targetOf(protocol), ...options });
    open.push(poster);
    return poster;
  };

  describe.each(Object.entries(POSTERS))('%s', (name, create) => {
    it('makes the same of every answer', async () => {
      const { post } = start(create);
      const outcomes: Record<string, PostOutcome> = {};
      for (const id of Object.keys(ANSWERS)) outcomes[id] = await post(id, frame);
      expect(outcomes).toEqual(
        Object.fromEntries(Object.entries(ANSWERS).map(([id, [, wanted]]) => [id, wanted])),
      );
      expect(endpoint.received).toHaveLength(Object.keys(ANSWERS).length);
    });

    it('sends each post once, signed, with its id and its bytes', async () => {
      const { post } = start(create);
      const ids = ['L0SM9cOFvHcCIhw=', 'a-b_c-d_e-f=', '-_-_==', '$x@y+z'];
      const frames = [0, 1, 1_000, 100_000].map((length) => new Uint8Array(length).fill(97));
      await Promise.all(ids.flatMap((id) => frames.map((bytes) => post(id, bytes))));
      expect(endpoint.received).toHaveLength(ids.length * frames.length);
      for (const request of endpoint.received) {
        expect(request.headers.authorization).toBe(await signatureOf(request));
        expect(request.headers['x-amz-security-token']).toBe(CREDENTIALS.sessionToken);
      }
      expect(endpoint.received.map(({ path }) => path)).toContain('/prod/@connections/L0SM9cOFvHcCIhw%3D');
      for (const id of ids) {
        const lengths = endpoint.received.filter(({ connectionId }) => connectionId === id);
        expect(lengths.map(({ body }) => body.length).toSorted((a, b) => a - b)).toEqual([
          0, 1, 1_000, 100_000,
        ]);
      }
    });

    it('keeps its socket, and opens another when the peer has closed it', async () => {
      const { post } = start(create);
      const delivered = { outcome: 'delivered' };
      expect([await post('a', frame), await post('b', frame)]).toEqual([delivered, delivered]);
      expect(endpoint.socketsOpened).toBe(1);
      for (const id of ['closes after', 'says close']) {
        expect(await post(id, frame)).toEqual(delivered);
        await endpoint.noSockets();
      }
      expect(await post('c', frame)).toEqual(delivered);
      expect(endpoint.socketsOpened).toBe(3);
    });

    it('fails a post whose answer is none or is cut off, and only that one', async () => {
      const { post } = start(create);
      const bad = ['closes before', 'closes mid-head', 'closes mid-body', 'garbage'];
      for (const id of bad) {
        const outcomes = await Promise.all(['a', id, 'gone', 'b'].map((each) => post(each, frame)));
        // The SDK reads no body that it has no use for.
        const isRead = name === 'the SDK' && id === 'closes mid-body';
        expect(outcomes.map(({ outcome }) => outcome)).toEqual([
          'delivered',
          isRead ? expect.any(String) : 'failed',
          'gone',
          'delivered',
        ]);
      }
      // What has begun to be answered was received, and is never sent again.
      const begun = endpoint.received.filter(({ connectionId }) => bad.slice(1).includes(connectionId));
      expect(begun).toHaveLength(3);
    });

    it('lets no hanging post delay another', async () => {
      const { post } = start(create);
      const hanging = post('never', frame);
      const { socket } = await endpoint.request('never');
      const others = await Promise.all(Array.from({ length: 20 }, (_, n) => post(`${n}`, frame)));
      expect(others).toEqual(others.map(() => ({ outcome: 'delivered' })));
      socket.write(answer('410 Gone'));
      expect(await hanging).toEqual({ outcome: 'gone' });
    });

    it('ends a post at its deadline, and takes its late answer for no other', async () => {
      const { post } = start(create, { timeoutMs: SHORT_TIMEOUT_MS });
      const reason = `no answer within ${SHORT_TIMEOUT_MS} ms`;
      const hanging = post('never', frame);
      const { socket } = await endpoint.request('never');
      expect(await hanging).toEqual({ outcome: 'unanswered', reason });
      socket.write(answer('200 OK'));
      expect(await post('gone', frame)).toEqual({ outcome: 'gone' });
      const next = endpoint.received.at(-1);
      expect([next?.connectionId, next?.socket === socket]).toEqual(['gone', false]);
    });

    it('fails when nobody listens', async () => {
      const closed = new PostingEndpoint({});
      const port = await closed.listen();
      await closed.close();
      const { post } = start(create, { endpoint: `${protocol}://127.0.0.1:${port}/prod` });
      expect(await post('a', frame)).toEqual({
        outcome: 'failed',
        reason: `Error: connect ECONNREFUSED 127.0.0.1:${port}`,
      });
    });
  });

  it.each([
    ['the SDK', sdkClient],
    ['the lean SDK', leanClient],
  ])('%s aborts', async (_, createClient) => {
    const client = createClient(targetOf(protocol));
    open.push(sdkPoster(client, targetOf(protocol)));
    const abortable = (ConnectionId: string, abortSignal: AbortSignal): Promise<string> =>
      client.send(new PostToConnectionCommand({ ConnectionId, Data: frame }), { abortSignal }).then(
        () => 'none',
        (error: Error) => error.name,
      );
    const controller = new AbortController();
    const aborted = abortable('never', controller.signal);
    await endpoint.request('never');
    controller.abort();
    expect(await aborted).toBe('AbortError');
    await endpoint.noSockets();
    expect(await abortable('b', AbortSignal.abort())).toBe('AbortError');
    expect(await abortable('c', new AbortController().signal)).toBe('none');
    expect(endpoint.received.map(({ connectionId }) => connectionId)).toEqual(['never', 'c']);
  });

  describe.each(OURS)('%s', (_, create) => {
    it('replays once, on a fresh socket, what went to a dead one', async () => {
      const { post } = start(create);
      const outcomes = await Promise.all(['a', 'b', 'c'].map((id) => post(id, frame)));
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered', 'delivered']);
      expect(await post('second is dead', frame)).toEqual({ outcome: 'delivered' });
      expect(endpoint.received.map(({ before }) => before)).toEqual([0, 0, 0, 1, 0]);
      expect((await post('all are dead', frame)).outcome).toBe('failed');
      expect(endpoint.received.slice(5).map(({ before }) => before)).toEqual([1, 0]);
    });

    it('never replays what a fresh socket lost', async () => {
      const { post } = start(create);
      expect((await post('all are dead', frame)).outcome).toBe('failed');
      expect(endpoint.received).toHaveLength(1);
    });
  });

  describe('the engine', () => {
    it('opens as many sockets as it may, and lets more posts wait in order', async () => {
      const { post } = start(enginePoster, { socketsMax: 2 });
      const ids = Array.from({ length: 20 }, (_, n) => `${n}`);
      const outcomes = await Promise.all(ids.map((id) => post(id, frame)));
      expect(outcomes.every(({ outcome }) => outcome === 'delivered')).toBe(true);
      expect(endpoint.socketsOpened).toBe(2);
      const order = endpoint.received.map(({ connectionId }) => Number(connectionId));
      for (const [index, id] of order.entries()) expect(Math.abs(index - id)).toBeLessThan(2);
    });

    it('gives a socket that hangs to the next post when its deadline is over', async () => {
      const { post } = start(enginePoster, { socketsMax: 1, timeoutMs: SHORT_TIMEOUT_MS });
      const hanging = post('never', frame);
      await endpoint.request('never');
      expect((await hanging).outcome).toBe('unanswered');
      expect(await post('a', frame)).toEqual({ outcome: 'delivered' });
    });

    it('counts the time for an answer from when the request was sent', async () => {
      const { post } = start(enginePoster, { socketsMax: 1 });
      // The second waits for the socket of the first for longer than its answer may take.
      const posts = [post('never', frame, 2 * SHORT_TIMEOUT_MS), post('a', frame, SHORT_TIMEOUT_MS)];
      const outcomes = await Promise.all(posts);
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(['unanswered', 'delivered']);
    });

    it('ends every post when it is closed', async () => {
      const { post, close } = start(enginePoster, { socketsMax: 1 });
      const posts = [post('never', frame), post('a', frame)];
      await endpoint.request('never');
      close();
      const failed = { outcome: 'failed', reason: 'Error: the transport is closed' };
      expect(await Promise.all([...posts, post('b', frame)])).toEqual([failed, failed, failed]);
      await endpoint.noSockets();
    });

    it('keeps no process alive when it is idle', async () => {
      const engine = join(import.meta.dirname, '../../shared/delivery/engine');
      const { endpoint: url, ca } = targetOf(protocol);
      const script = `
        import { createEngine } from ${JSON.stringify(`${engine}/engine.ts`)};
        import { createSockets } from ${JSON.stringify(`${engine}/sockets.ts`)};
        const options = ${JSON.stringify({ endpoint: url, ca, region: REGION, timeoutMs: TIMEOUT_MS })};
        const { post } = createEngine({
          ...options,
          credentials: async () => (${JSON.stringify(CREDENTIALS)}),
          transport: createSockets(options),
          now: Date.now,
        });
        console.log((await post('a', new Uint8Array(1))).outcome);
      `;
      const child = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
      expect(child.stdout.trim()).toBe('delivered');
    });
  });
});

describe('TLS', () => {
  it.each(Object.entries(POSTERS))('%s posts to nobody that it cannot trust', async (_, create) => {
    const { ca: _ca, ...untrusting } = targetOf('https');
    const posters = [create(untrusting), create(targetOf('https', '127.0.0.2'))];
    open.push(...posters);
    const [untrusted, misnamed] = await Promise.all(posters.map(({ post }) => post('a', frame)));
    expect(untrusted).toEqual({
      outcome: 'failed',
      reason: expect.stringContaining('self-signed certificate'),
    });
    expect(misnamed).toEqual({ outcome: 'failed', reason: expect.stringContaining('127.0.0.2') });
    expect(endpoints.https.received).toEqual([]);
  });

  it.each(OURS)('%s resumes its session on another socket', async (_, create) => {
    const poster = create(targetOf('https', 'localhost'));
    open.push(poster);
    await poster.post('a', frame);
    await Promise.all(['b', 'c', 'd'].map((id) => poster.post(id, frame)));
    expect(endpoints.https.socketsOpened).toBe(3);
    expect(endpoints.https.sessionsReused).toBe(2);
  });
});

it('the lean SDK answers and throws what the SDK does', async () => {
  const resultOf = async (client: ApiGatewayManagementApiClient, ConnectionId: string) => {
    try {
      const { $metadata } = await client.send(new PostToConnectionCommand({ ConnectionId, Data: frame }));
      return { name: 'none', metadata: { ...$metadata } };
    } catch (error) {
      if (!(error instanceof ApiGatewayManagementApiServiceException)) throw error;
      const { name, message, $fault, $metadata } = error;
      return { name, message, $fault, class: error.constructor, metadata: { ...$metadata } };
    }
  };
  const clients = [sdkClient, leanClient].map((create) => create(targetOf('http')));
  for (const id of Object.keys(ANSWERS)) {
    const [expected, actual] = await Promise.all(clients.map((client) => resultOf(client, id)));
    expect(actual).toEqual(expected);
  }
  for (const client of clients) client.destroy();
});

it('tells the endpoint which invocation a post belongs to, whichever it is just then', async () => {
  let traceId: string | undefined = 'Root=1-5759e988-bd862e3fe1be46a994272793';
  const poster = enginePoster(targetOf('http'), () => traceId);
  open.push(poster);
  await poster.post('one', frame);
  traceId = undefined;
  await poster.post('two', frame);
  const [one, two] = await Promise.all(['one', 'two'].map((id) => endpoints.http.request(id)));
  expect(one?.headers['x-amzn-trace-id']).toBe('Root=1-5759e988-bd862e3fe1be46a994272793');
  expect(one?.headers.authorization).toContain(await signatureOf(one as Received));
  expect(two?.headers).not.toHaveProperty('x-amzn-trace-id');
});
