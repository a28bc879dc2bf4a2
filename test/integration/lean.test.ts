import { ApiGatewayManagementApiClient, GetConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SocketHandler } from '../../shared/aws/sdk/handler.ts';
import { lean } from '../../shared/aws/sdk/lean.ts';
import { selfSigned } from '../support/certificate.ts';
import {
  answer,
  type Behaviour,
  CREDENTIALS,
  PostingEndpoint,
  REGION,
  signatureOf,
} from '../support/posting-endpoint.ts';

const TWO_MB = 2 * 1024 * 1024;
const AN_HOUR_MS = 3_600_000;
const TIMEOUT_MS = 100;

const certificate = selfSigned();
const item = JSON.stringify({ Item: { text: { S: 'ü'.repeat(TWO_MB / 2) } } });

/** The first request gets nothing but what `first` does; what comes after it is answered. */
function onlyFirst(first: Behaviour): Behaviour {
  let isFirst = true;
  return (request) => {
    if (!isFirst) return void request.socket.write(answer('200 OK', '{"ConnectedAt":null}'));
    isFirst = false;
    first(request);
  };
}

const skewed = new Date(Date.now() + AN_HOUR_MS).toUTCString();
const endpoint = new PostingEndpoint(
  {
    // DynamoDB has no path.
    '': ({ socket }) => {
      const bytes = Buffer.from(item);
      const half = bytes.subarray(0, TWO_MB / 2 + 1); // in the middle of a character
      socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${half.length.toString(16)}\r\n`);
      socket.write(half);
      socket.write(`\r\n${(bytes.length - half.length).toString(16)}\r\n`);
      socket.write(bytes.subarray(half.length));
      socket.write('\r\n0\r\n\r\n');
    },
    'lost=': onlyFirst(({ socket }) => void socket.destroy()),
    'broken=': onlyFirst(({ socket }) => void socket.write(answer('503 Slow'))),
    'silent=': onlyFirst(() => {}),
    'never=': () => {},
    'skewed=': onlyFirst(({ socket }) => {
      const text = answer('403 No\r\nx-amzn-errortype: RequestTimeTooSkewed', '{"message":"skewed"}');
      socket.write(text.replace(/date: .*/, `date: ${skewed}`));
    }),
  },
  certificate,
);
let url = '';
beforeAll(async () => {
  url = `https://localhost:${await endpoint.listen()}`;
});
afterAll(() => endpoint.close());

const optionsOf = () => ({
  endpoint: url,
  region: REGION,
  credentials: CREDENTIALS,
  requestHandler: new SocketHandler({ ca: certificate.cert }),
});

const requestsFor = (id: string) => endpoint.received.filter(({ connectionId }) => connectionId === id);

describe('a lean client', () => {
  it('reads an answer of megabytes, in chunks', async () => {
    const client = lean(DynamoDBClient, optionsOf());
    const { Item } = await client.send(new GetItemCommand({ TableName: 't', Key: { id: { S: 'a' } } }));
    expect(Item?.text?.S).toBe('ü'.repeat(TWO_MB / 2));
    client.destroy();
  });

  it.each(['lost=', 'broken='])('has the SDK try again what went wrong: %s', async (ConnectionId) => {
    const client = lean(ApiGatewayManagementApiClient, optionsOf());
    const { $metadata } = await client.send(new GetConnectionCommand({ ConnectionId }));
    expect($metadata.attempts).toBe(2);
    const requests = requestsFor(ConnectionId);
    expect(requests).toHaveLength(2);
    for (const request of requests) expect(request.headers.authorization).toBe(await signatureOf(request));
    client.destroy();
  });

  it('ends a call that hangs, and has the SDK try it again', async () => {
    const requestHandler = new SocketHandler({ ca: certificate.cert, timeoutMs: TIMEOUT_MS });
    const client = lean(ApiGatewayManagementApiClient, { ...optionsOf(), requestHandler, maxAttempts: 10 });
    await client.send(new GetConnectionCommand({ ConnectionId: 'silent=' }));
    // On a busy machine the second may be too slow as well.
    expect(requestsFor('silent=').length).toBeGreaterThanOrEqual(2);
    client.destroy();
  });

  it("signs for the server's time once that is known", async () => {
    const client = lean(ApiGatewayManagementApiClient, optionsOf());
    await client.send(new GetConnectionCommand({ ConnectionId: 'skewed=' }));
    const [, again] = requestsFor('skewed=');
    const signedAt =
      again?.headers['x-amz-date']?.replace(/(....)(..)(..T..)(..)(..Z)/, '$1-$2-$3:$4:$5') ?? '';
    expect(Math.abs(Date.parse(signedAt) - Date.parse(skewed))).toBeLessThan(AN_HOUR_MS / 2);
    client.destroy();
  });

  it('ends what is under way when it is destroyed, and works again afterwards', async () => {
    const client = lean(ApiGatewayManagementApiClient, {
      ...optionsOf(),
      maxAttempts: 1,
    });
    const sent = client.send(new GetConnectionCommand({ ConnectionId: 'never=' }));
    sent.catch(() => {});
    await endpoint.request('never=');
    client.destroy();
    await expect(sent).rejects.toThrow('the transport is closed');
    const { $metadata } = await client.send(new GetConnectionCommand({ ConnectionId: 'a=' }));
    expect($metadata.httpStatusCode).toBe(200);
    client.destroy();
  });
});
