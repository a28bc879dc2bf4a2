import {
  ApiGatewayManagementApiClient,
  GoneException,
  LimitExceededException,
  PayloadTooLargeException,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { RawClient } from './clients.ts';
import {
  describeConnection,
  type ManagementCommand,
  post,
  remove,
  type Stage,
  sendCommand,
} from './stage.ts';
import { isDeployed, openTarget, type Target, TIMEOUT_MS, tell } from './target.ts';
import { callOnWire, type WireOptions } from './wire.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target?.close());

const KIB = 1024;
const NEVER_EXISTED = 'L0SM9cOFvHcCIhw=';
const GONE = { status: 410, errorType: 'GoneException', body: '' };
/** More than any socket buffers, in posts of 128 KB. */
const POSTS_MAX = 2000;
const POSTS_IN_RACE = 40;

/** By whom a call is refused depends on what is wrong with it. */
const FORBIDDEN = /^(Forbidden|MissingAuthenticationToken|InvalidSignature|UnrecognizedClient)Exception/;
const NO_RIGHT =
  /^User: arn:aws:sts::.* is not authorized to perform: execute-api:ManageConnections on resource: arn:aws:execute-api:.*\/main\/DELETE\/@connections\//;
/** What somebody might try who has no right to. */
const UNAUTHORISED: Readonly<Record<string, WireOptions>> = {
  'without a signature': {
    after: ({ headers }) => {
      delete headers.authorization;
    },
  },
  'with another signature': {
    after: ({ headers }) => {
      const signed = headers.authorization ?? '';
      headers.authorization = signed.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    },
  },
  'with credentials of nobody': {
    credentials: { accessKeyId: 'AKIA0000000000000000', secretAccessKey: 'of nobody' },
  },
  'at another stage': {
    before: (request) => {
      request.path = request.path.replace('/main/', '/nowhere/');
    },
  },
};

describe('@connections', { timeout: TIMEOUT_MS }, () => {
  it('CN-POST delivers a text frame and answers 200 with nothing in it, however the path is escaped [inference]', async () => {
    const { main } = target.stages;
    const { client, id } = await main.connect();
    let path = '';
    const paths = [(sdk: string) => sdk, (sdk: string) => sdk.replace('@connections', '%40connections')];
    for (const change of paths) {
      const answer = await callOnWire(main, post(id, 'grüße'), {
        before: (request) => {
          request.path = change(request.path);
          path = request.path;
        },
      });
      expect(path.endsWith('%3D')).toBe(true);
      expect(answer).toEqual({ status: 200, errorType: null, body: '' });
      expect(await client.next()).toBe('grüße');
    }
    expect(path).toContain('/%40connections/');
    await client.close();
  });

  it('CN-GONE answers 410 with its type in a header and an empty body, for closed and for unknown ids', async () => {
    const { main } = target.stages;
    const { client, id } = await main.connect();
    await client.close();
    await target.observations.event(id, 'DISCONNECT');
    for (const gone of [id, NEVER_EXISTED]) {
      expect(await callOnWire(main, post(gone))).toEqual(GONE);
      for (const command of [post(gone), describeConnection(gone), remove(gone)]) {
        const error = await failureOf(main, command);
        expect(error).toBeInstanceOf(GoneException);
        expect(error).toMatchObject({ name: 'GoneException', $metadata: { httpStatusCode: 410 } });
      }
    }
  });

  it('CN-BADID answers 400 to what cannot be an id', async () => {
    expect(await failureOf(target.stages.main, post('abc'))).toMatchObject({
      name: 'BadRequestException',
      message: 'Invalid connectionId: abc',
      $metadata: { httpStatusCode: 400 },
    });
  });

  it('CN-INCONNECT answers 410 from inside $connect, and delivers after the 101', async () => {
    const { main } = target.stages;
    const { client, id, name } = await main.connect({ call: 'POST,GET' });
    const { outcome } = await target.observations.when(name, ({ endedAt }) => endedAt !== undefined);
    const gone = { status: 410, name: 'GoneException' };
    expect(outcome).toMatchObject({ POST: gone, GET: gone });
    await main.management.send(post(id, 'now'));
    expect(await client.next()).toBe('now');
    await client.close();
  });

  it('CN-413 delivers 128 KB whole, and refuses one byte more [inference]', async () => {
    const { main } = target.stages;
    const { client, id } = await main.connect();
    const whole = 'x'.repeat(128 * KIB);
    await main.management.send(post(id, whole));
    expect(await client.next()).toBe(whole);
    const error = await failureOf(main, post(id, `${whole}x`));
    expect(error).toBeInstanceOf(PayloadTooLargeException);
    expect(error).toMatchObject({ $metadata: { httpStatusCode: 413 } });
    await main.management.send(post(id, 'small'));
    expect(await client.next()).toBe('small');
    await client.close();
    if (isDeployed) tell('f', await framesOf(main, whole));
  });

  it('CN-GET tells times as dates and who the client is; messages in both directions move the later one', async () => {
    const { main } = target.stages;
    const { client, id } = await main.connect({}, { headers: { 'User-Agent': 'conformance' } });
    const first = await main.management.send(describeConnection(id));
    expect(first).toMatchObject({
      ConnectedAt: expect.any(Date),
      LastActiveAt: expect.any(Date),
      Identity: { SourceIp: expect.any(String), UserAgent: 'conformance' },
    });
    const { connectedAt } = (await target.observations.event(id, 'CONNECT')).requestContext;
    // AWS may count in seconds here.
    expect(Math.abs(Number(first.ConnectedAt) - connectedAt)).toBeLessThanOrEqual(1000);

    const lastActiveAt = async () =>
      Number((await main.management.send(describeConnection(id))).LastActiveAt);
    const activities = [
      () => client.ask({ action: 'pub' }),
      () => main.management.send(post(id)).then(() => client.next()),
    ];
    for (const act of activities) {
      const before = await lastActiveAt();
      await until(async () => (await act()) && (await lastActiveAt()) > before);
    }
    await client.close();
  });

  it('CN-DELETE closes with 1000 and tells $disconnect so; a second time it is gone [inference]', async () => {
    const { main } = target.stages;
    const { client, id } = await main.connect();
    expect(await callOnWire(main, remove(id))).toEqual({ status: 204, errorType: null, body: '' });
    const closing = await client.closed;
    tell('d', { deleted: closing });
    expect(closing.code).toBe(1000);
    const { requestContext } = await target.observations.event(id, 'DISCONNECT');
    expect(requestContext).toMatchObject({
      disconnectStatusCode: 1000,
      disconnectReason: 'Connection Closed Normally',
    });
    expect(await callOnWire(main, remove(id))).toEqual(GONE);
  });

  it('CN-AUTH answers 403 to whoever has not signed, has signed badly, or has no right, and to other stages', async () => {
    const { main, bare } = target.stages;
    const { client, id } = await main.connect();
    // Here one port serves every API by its stage; over there each has a host, and the reverse of one nobody has.
    const haveHosts = new URL(main.url).host !== new URL(bare.url).host;
    const attempts = { ...UNAUTHORISED, ...(haveHosts && { 'at another API': { before: reverseApiId } }) };
    const answers = await Promise.all(
      Object.entries(attempts).map(async ([attempt, options]) => {
        const { status, errorType } = await callOnWire(main, post(id), options);
        return { attempt, status, errorType };
      }),
    );
    for (const answer of answers) {
      expect(answer).toEqual({ ...answer, status: 403, errorType: expect.stringMatching(FORBIDDEN) });
    }
    // Its role may post and describe, nothing else.
    await client.ask({ action: 'pub', call: 'DELETE' });
    const { outcome } = await target.observations.when(id, ({ endedAt }) => endedAt !== undefined);
    expect(outcome?.DELETE).toMatchObject({ status: 403, message: expect.stringMatching(NO_RIGHT) });

    await main.management.send(post(id, 'the first to arrive'));
    expect(await client.next()).toBe('the first to arrive');
    await client.close();
  });

  it('CN-429 answers LimitExceeded while a client does not read, which the SDK tries three times', async () => {
    const { main } = target.stages;
    const raw = await RawClient.connect(main.url);
    const { connectionId } = await raw.ask({ action: 'pub' });
    raw.socket.pause();
    const data = 'x'.repeat(128 * KIB);
    const once = new ApiGatewayManagementApiClient({ ...main.config, maxAttempts: 1 });
    let posted = 0;
    while (posted < POSTS_MAX && (await once.send(post(connectionId, data)).then(Boolean, () => false)))
      posted += 1;
    const error = await failureOf(main, post(connectionId, data));
    expect(error).toBeInstanceOf(LimitExceededException);
    expect(error).toMatchObject({ $metadata: { httpStatusCode: 429, attempts: 3 } });
    raw.socket.destroy();

    if (isDeployed) return; // its bucket of requests belongs to the whole account
    const limited = await openTarget({ limits: { requests: { perSecond: 0.001, burst: 1 } } });
    try {
      expect(await failureOf(limited.stages.main, post(NEVER_EXISTED))).toBeInstanceOf(GoneException);
      const throttled = await failureOf(limited.stages.main, post(NEVER_EXISTED));
      expect(throttled).toBeInstanceOf(LimitExceededException);
      expect(throttled).toMatchObject({ $metadata: { httpStatusCode: 429, attempts: 3 } });
    } finally {
      await limited.close();
    }
  });

  it('CN-RACE delivers or is gone when the client closes meanwhile, and never hangs [inference]', async () => {
    const { main } = target.stages;
    for (const end of ['close', 'terminate'] as const) {
      const { client, id } = await main.connect();
      const posts = Array.from({ length: POSTS_IN_RACE }, async (_, index) => {
        if (index === POSTS_IN_RACE / 2) client.socket[end]();
        return main.management.send(post(id)).then(
          () => 'delivered',
          ({ name }) => String(name),
        );
      });
      const outcomes = new Set(await Promise.all(posts));
      expect(['delivered', 'GoneException']).toEqual(expect.arrayContaining([...outcomes]));
      if (isDeployed && end === 'terminate') {
        const last = (await target.observations.of(id)).at(-1);
        tell('j', last?.event.requestContext);
      }
    }
  });
});

async function failureOf({ management }: Stage, command: ManagementCommand): Promise<unknown> {
  return sendCommand(management, command).then(
    (answer) => expect.fail(`expected a failure, got ${JSON.stringify(answer)}`),
    (error: unknown) => error,
  );
}

function reverseApiId(request: { hostname: string }): void {
  request.hostname = request.hostname.replace(/^[^.]+/, (apiId) => [...apiId].reverse().join(''));
}

/** How a message comes: the bytes of every frame. */
async function framesOf(stage: Stage, data: string): Promise<number[]> {
  const raw = await RawClient.connect(stage.url);
  const { connectionId } = await raw.ask({ action: 'pub' });
  await stage.management.send(post(connectionId, data));
  const bytes: number[] = [];
  for (;;) {
    const { fin, payload } = await raw.nextFrame();
    bytes.push(payload.length);
    if (fin) break;
  }
  raw.socket.destroy();
  return bytes;
}
