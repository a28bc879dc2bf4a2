import { ApiGatewayManagementApiClient, GetConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';
import { BatchWriteItemCommand, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ready } from '../../infra/local/ready.ts';
import type { Runtime } from '../../infra/local/runtime.ts';
import { bootLocal } from '../support/local.ts';

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

let local: Runtime;
let ready: Ready;
beforeAll(async () => {
  local = await bootLocal();
  ({ ready } = local);
});
afterAll(() => local.stop());

/** The template knows no such role, so it may do nothing. */
const ROLE = 'arn:aws:iam::000000000000:role/Nobody';
const SESSION = 'arn:aws:sts::000000000000:assumed-role/Nobody/test';
/** No connection has it, which a caller learns only if it may ask. */
const CONNECTION_ID = 'L0SM9cOFvHcCIhw=';

const root = (): Credentials => ({
  accessKeyId: ready.accessKeyId,
  secretAccessKey: ready.secretAccessKey,
});

/** One call to each service. */
const CALLS = {
  dynamodb: (config: object) =>
    new DynamoDBClient(config).send(
      new GetItemCommand({ TableName: ready.tables.topics, Key: { topic: { S: 'a' } } }),
    ),
  sqs: (config: object) =>
    new SQSClient(config).send(new ReceiveMessageCommand({ QueueUrl: ready.queues.ingestDeadLetters })),
  events: (config: object) =>
    new EventBridgeClient(config).send(
      new PutEventsCommand({
        Entries: [{ EventBusName: ready.eventBusName, Source: 'test', DetailType: 'test', Detail: '{}' }],
      }),
    ),
  management: (config: object) =>
    new ApiGatewayManagementApiClient({
      ...config,
      endpoint: ready.websocketUrl.replace(/^ws/, 'http'),
    }).send(new GetConnectionCommand({ ConnectionId: CONNECTION_ID })),
};
type Service = keyof typeof CALLS;

const configOf = (credentials: Credentials) => ({
  endpoint: ready.endpoint,
  region: ready.region,
  credentials,
  maxAttempts: 1,
});

/** What a caller sees of an error. */
async function errorOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    const { name, message, $metadata } = error as SdkError;
    return { name, message, status: $metadata?.httpStatusCode };
  }
  return 'no error';
}

const attempt = (service: Service, credentials: Credentials): Promise<unknown> =>
  errorOf(CALLS[service](configOf(credentials)));

const SERVICES = Object.keys(CALLS) as Service[];
const STATUS = { dynamodb: 400, events: 400, sqs: 403, management: 403 };

/** For SQS the SDK goes by the code of the older protocol. */
const refusal = (service: Service, kind: string, sqsCode: string, message: unknown) => ({
  name: service === 'sqs' ? sqsCode : `${kind}Exception`,
  message,
  status: STATUS[service],
});

it.each(SERVICES)('%s lets in whoever has the credentials of the ready file', async (service) => {
  expect(await attempt(service, root())).toEqual(
    service === 'management'
      ? { name: 'GoneException', message: expect.anything(), status: 410 }
      : 'no error',
  );
});

describe.each(SERVICES)('%s refuses', (service) => {
  it('an unknown key', async () => {
    expect(await attempt(service, { ...root(), accessKeyId: 'AKIAUNKNOWN' })).toEqual(
      refusal(
        service,
        'UnrecognizedClient',
        'InvalidClientTokenId',
        'The security token included in the request is invalid.',
      ),
    );
  });

  it('a wrong secret', async () => {
    expect(await attempt(service, { ...root(), secretAccessKey: 'wrong' })).toEqual(
      refusal(
        service,
        'InvalidSignature',
        'SignatureDoesNotMatch',
        expect.stringMatching(/^The request signature we calculated does not match/),
      ),
    );
  });

  it('a wrong session token, and none', async () => {
    const { sessionToken: _, ...credentials } = local.assumeRole(ROLE, 'test');
    const refused = refusal(
      service,
      'UnrecognizedClient',
      'InvalidClientTokenId',
      'The security token included in the request is invalid.',
    );
    expect(await attempt(service, { ...credentials, sessionToken: 'wrong' })).toEqual(refused);
    expect(await attempt(service, credentials)).toEqual(refused);
  });

  it('an expired session', async () => {
    expect(await attempt(service, local.assumeRole(ROLE, 'test', Date.now()))).toEqual(
      refusal(
        service,
        'ExpiredToken',
        'ExpiredToken',
        'The security token included in the request is expired',
      ),
    );
  });

  it('a signature for another region', async () => {
    const config = { ...configOf(root()), region: 'eu-west-1' };
    expect(await errorOf(CALLS[service](config))).toEqual(
      refusal(
        service,
        'InvalidSignature',
        'SignatureDoesNotMatch',
        "Credential should be scoped to a valid region, not 'eu-west-1'. ",
      ),
    );
  });

  it('a role without the right', async () => {
    const user = `User: ${SESSION} is not authorized to perform:`;
    const arn = (name: string, path: string) => `arn:aws:${name}:us-east-1:000000000000:${path}`;
    const message = {
      dynamodb:
        `${user} dynamodb:GetItem on resource: ${arn('dynamodb', `table/${ready.tables.topics}`)} ` +
        'because no identity-based policy allows the dynamodb:GetItem action',
      sqs:
        `${user} sqs:receivemessage on resource: ${arn('sqs', String(ready.queues.ingestDeadLetters?.split('/').at(-1)))} ` +
        'because no identity-based policy allows the sqs:receivemessage action',
      events:
        `${user} events:PutEvents on resource: ${arn('events', `event-bus/${ready.eventBusName}`)} ` +
        'because no identity-based policy allows the events:PutEvents action',
      management: expect.stringMatching(
        /^User: \S+\/test is not authorized to perform: execute-api:ManageConnections on resource: arn:aws:execute-api:us-east-1:\*{8}0000:\w+\/prod\/GET\/@connections\/\{connectionId\}$/,
      ),
    }[service];
    expect(await attempt(service, local.assumeRole(ROLE, 'test'))).toEqual(
      refusal(service, 'AccessDenied', 'AccessDenied', message),
    );
  });

  it('who does not sign', async () => {
    const unsigned = {
      ...configOf(root()),
      signer: { sign: async (request: unknown) => request },
    };
    expect(await errorOf(CALLS[service](unsigned))).toEqual(
      refusal(
        service,
        'MissingAuthenticationToken',
        'MissingAuthenticationToken',
        ['dynamodb', 'sqs'].includes(service)
          ? 'Request is missing Authentication Token'
          : 'Missing Authentication Token',
      ),
    );
  });
});

it('a client whose clock is wrong sets it right by the answer, and gets through', async () => {
  const client = new DynamoDBClient({ ...configOf(root()), maxAttempts: 2, systemClockOffset: -3_600_000 });
  const { $metadata } = await client.send(
    new GetItemCommand({ TableName: ready.tables.topics, Key: { topic: { S: 'a' } } }),
  );
  expect($metadata.attempts).toBe(2);
});

it('the state of health needs no signature', async () => {
  const { status } = await fetch(`${ready.endpoint}/_fanwire/health`);
  expect(status).toBe(200);
});

describe('the limits of a request', () => {
  const { events, dynamodb, sqs } = {
    events: () => new EventBridgeClient(configOf(root())),
    dynamodb: () => new DynamoDBClient(configOf(root())),
    sqs: () => new SQSClient(configOf(root())),
  };

  it('PutEvents takes 10 entries', async () => {
    const entry = { EventBusName: ready.eventBusName, Source: 'test', DetailType: 'test', Detail: '{}' };
    const put = (count: number) => events().send(new PutEventsCommand({ Entries: Array(count).fill(entry) }));
    expect(await errorOf(put(11))).toMatchObject({ name: 'ValidationException', status: 400 });
    expect(await errorOf(put(10))).toBe('no error');
  });

  it('BatchWriteItem takes 25 items', async () => {
    const write = (count: number) =>
      dynamodb().send(
        new BatchWriteItemCommand({
          RequestItems: {
            [ready.tables.topics ?? '']: Array.from({ length: count }, (_, n) => ({
              PutRequest: { Item: { topic: { S: `batch/${n}` } } },
            })),
          },
        }),
      );
    expect(await errorOf(write(26))).toMatchObject({ name: 'ValidationException', status: 400 });
    expect(await errorOf(write(25))).toBe('no error');
  });

  it('an SQS message takes 1 MiB', async () => {
    const send = (bytes: number) =>
      sqs().send(
        new SendMessageCommand({
          QueueUrl: ready.queues.deliveryDeadLetters,
          MessageBody: 'x'.repeat(bytes),
        }),
      );
    expect(await errorOf(send(1_048_577))).toMatchObject({ name: 'InvalidParameterValue', status: 400 });
    expect(await errorOf(send(1_048_576))).toBe('no error');
  });
});
