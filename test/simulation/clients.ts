import {
  ApiGatewayManagementApiServiceException,
  type GetConnectionCommandInput,
  GoneException,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { type DynamoDBClient, ProvisionedThroughputExceededException } from '@aws-sdk/client-dynamodb';
import type { PutEventsCommandInput } from '@aws-sdk/client-eventbridge';
import {
  ChangeMessageVisibilityBatchCommand,
  type ChangeMessageVisibilityBatchCommandInput,
  SendMessageBatchCommand,
  type SendMessageBatchCommandInput,
  type SendMessageCommand,
  type SendMessageCommandInput,
} from '@aws-sdk/client-sqs';
import { completeSettings } from '../../infra/settings.ts';
import type { AccessClients } from '../../shared/auth/clients.ts';
import type { Clients as AwsClients } from '../../shared/aws/sdk/clients.ts';
import { isHead } from '../../shared/data/tables.ts';
import type { DeliveryClients } from '../../shared/delivery/deps.ts';
import { type Post, unanswered } from '../../shared/delivery/post.ts';
import type { QueueEvent, QueueResult } from '../../shared/lambda/events.ts';
import type { MakeRequest, MemoryDynamoDB } from '../memory/dynamodb.ts';
import type { Bus } from './bus.ts';
import type { Gateway } from './gateway.ts';
import type { Environment } from './lambda.ts';
import type { DeadLetter, DeadLetters, Queue } from './queue.ts';
import type { World } from './world.ts';

const { postTimeoutMs: POST_TIMEOUT_MS } = completeSettings({});
/** How far behind an eventual read can be. */
const LAG_MS = [1, 5_000] as const;

/** What a worker does, as the oracle wants to know it. */
export interface Watcher {
  /** An event has reached the ingest queue. */
  arrived(event: string): void;
  posted(environment: Environment, connectionId: string, text: string, outcome: string): void;
  queued(environment: Environment, bodies: readonly string[]): void;
  /** An invocation of a worker begins. */
  began(environment: Environment, event: QueueEvent): void;
  /** It has ended, and the queue knows what is done. */
  answered(environment: Environment, result: QueueResult): void;
  buried(letter: DeadLetter): void;
}

/** What there is on AWS. */
export interface Aws {
  readonly world: World;
  readonly tables: MemoryDynamoDB;
  readonly gateway: Gateway;
  readonly bus: Bus;
  /** The queue with that URL. */
  queueAt(url: string): Queue;
  readonly badEvents: DeadLetters;
  readonly undelivered: DeadLetters;
  readonly watcher: Watcher;
}

export type Clients = AwsClients & DeliveryClients & AccessClients;

/** Clients as an environment has them: what it asks for takes time, fails, and ends with it. Readers begin no logs. */
export function clientsFor(environment: Environment, aws: Aws, mayBegin: boolean): Clients {
  const dynamodb = dynamodbFor(environment, aws, mayBegin);
  const sqs = sqsFor(environment, aws);
  return {
    dynamodb,
    sqs,
    eventBridge: eventBridgeFor(environment, aws),
    management: managementFor(environment, aws),
    post: postFor(environment, aws),
    late: async () => ({ dynamodb, sqs }),
    ...noKeys,
  };
}

/** Who reads tokens is put in from outside: signatures are nothing for virtual time. */
const unasked = (): never => {
  throw new Error('expected nobody in a simulated world to ask for keys');
};
const noKeys: AccessClients = { fetch: unasked, deadline: unasked, report: unasked, secrets: unasked };

function dynamodbFor(environment: Environment, { world, tables }: Aws, mayBegin: boolean): DynamoDBClient {
  const { faults, dice } = world;
  const leavesUndone = () => faults.hits('batchUndone');
  const makeRequest: MakeRequest = ({ operation, table, input, isEventual }, perform) => {
    const isWrite = !['GetItem', 'Query', 'Scan', 'BatchGetItem'].includes(operation);
    if (isWrite && !mayBegin && isHead(keyIn(input))) world.violate('a reader writes the head of a log');
    const lagMs = isEventual && faults.hits('readStale') ? dice.scale(...LAG_MS) : 0;
    const hasEmptyPage = ['Query', 'Scan'].includes(operation) && faults.hits('pageEmpty');
    return environment.call(
      `${operation} ${table}`,
      described(world, input, () => perform({ lagMs, leavesUndone, hasEmptyPage })),
      {
        refused: faults.hits('requestThrottled') ? throttled() : undefined,
        unanswered: faults.hits('requestUnanswered') ? hungUp() : undefined,
        isRepeated: isWrite && faults.hits('requestRepeated'),
      },
    );
  };
  return tables.client(makeRequest);
}

const keyIn = ({ Key, Item }: { readonly Key?: object; readonly Item?: object }) => Key ?? Item ?? {};

function eventBridgeFor(environment: Environment, { world, bus }: Aws) {
  const send = ({ input: { Entries = [] } }: { readonly input: PutEventsCommandInput }) => {
    const isFailing = world.faults.hits('busFails');
    const reached = isFailing ? Entries.slice(0, world.dice.integer(0, Entries.length)) : Entries;
    const put = ({ Source = '', Detail = '' }: (typeof Entries)[number]) =>
      world.faults.hits('busRefuses')
        ? { ErrorCode: 'ThrottlingException' }
        : { EventId: bus.put(Source, Detail) };
    const perform = () => {
      const results = reached.map(put);
      return { FailedEntryCount: results.filter((each) => 'ErrorCode' in each).length, Entries: results };
    };
    return environment.call('PutEvents', perform, { unanswered: isFailing ? hungUp() : undefined });
  };
  return { send } as never;
}

function sqsFor(environment: Environment, aws: Aws) {
  const { faults, dice } = aws.world;
  const refusing = <E extends { readonly Id: string | undefined }>(entries: readonly E[]) => {
    const { taken = [], refused = [] } = Object.groupBy(entries, () =>
      faults.hits('queueRefuses') ? 'refused' : 'taken',
    );
    return { taken, Failed: refused.map(({ Id }) => ({ Id, SenderFault: false, Code: 'InternalError' })) };
  };
  const changeBatch = ({ QueueUrl = '', Entries = [] }: ChangeMessageVisibilityBatchCommandInput) => {
    const perform = () => {
      const { taken, Failed } = refusing(Entries);
      for (const { ReceiptHandle = '', VisibilityTimeout = 0 } of taken) {
        aws.queueAt(QueueUrl).hide(ReceiptHandle, VisibilityTimeout * 1_000);
      }
      return { Failed };
    };
    return environment.call('ChangeMessageVisibilityBatch', perform, {
      unanswered: faults.hits('queueFails') ? hungUp() : undefined,
    });
  };
  const sendBatch = ({ QueueUrl = '', Entries = [] }: SendMessageBatchCommandInput) => {
    const queue = aws.queueAt(QueueUrl);
    const isFailing = faults.hits('queueFails');
    const reached = isFailing ? Entries.slice(0, dice.integer(0, Entries.length)) : Entries;
    const perform = () => {
      const { taken, Failed } = refusing(reached);
      for (const { MessageBody = '', DelaySeconds = 0 } of taken) {
        queue.send(MessageBody, DelaySeconds * 1_000);
      }
      const bodies = taken.map(({ MessageBody = '' }) => MessageBody);
      aws.watcher.queued(environment, bodies);
      return { Failed };
    };
    return environment.call('SendMessageBatch', perform, { unanswered: isFailing ? hungUp() : undefined });
  };
  const sendLater = ({ QueueUrl = '', MessageBody = '', DelaySeconds = 0 }: SendMessageCommandInput) => {
    const perform = () => aws.queueAt(QueueUrl).send(MessageBody, DelaySeconds * 1_000);
    return environment.call('SendMessage', perform, {
      unanswered: faults.hits('queueFails') ? hungUp() : undefined,
    });
  };
  const sendOne = ({ QueueUrl, MessageBody = '', MessageAttributes }: SendMessageCommandInput) => {
    const queue = QueueUrl === 'badEvents' ? aws.badEvents : aws.undelivered;
    const reason = MessageAttributes?.reason?.StringValue ?? '';
    return environment.call('SendMessage', () => queue.add(MessageBody, reason), {
      unanswered: faults.hits('queueFails') ? hungUp() : undefined,
    });
  };
  const send = (
    command: SendMessageCommand | SendMessageBatchCommand | ChangeMessageVisibilityBatchCommand,
  ) => {
    if (command instanceof SendMessageBatchCommand) return sendBatch(command.input);
    if (command instanceof ChangeMessageVisibilityBatchCommand) return changeBatch(command.input);
    return command.input.QueueUrl?.startsWith('https:') ? sendLater(command.input) : sendOne(command.input);
  };
  return { send } as never;
}

function postFor(environment: Environment, { gateway, watcher }: Aws): Post {
  const decoder = new TextDecoder();
  return async (connectionId, frame, timeoutMs = POST_TIMEOUT_MS) => {
    const text = decoder.decode(frame);
    const answer = await environment.call('post', () => {
      const answer = gateway.post(connectionId, text);
      const unansweredIn = timeoutMs < POST_TIMEOUT_MS ? 'slow' : 'unanswered';
      watcher.posted(environment, connectionId, text, answer === 'hang' ? unansweredIn : answer.outcome);
      return answer;
    });
    if (answer !== 'hang') return answer;
    await environment.wait(timeoutMs);
    return unanswered(timeoutMs);
  };
}

/** Closes a connection. Answers with whether there was one. */
export const disconnectFor =
  (environment: Environment, { world: { faults }, gateway }: Pick<Aws, 'world' | 'gateway'>) =>
  (connectionId: string): Promise<boolean> =>
    environment.call('DeleteConnection', () => gateway.disconnect(connectionId), {
      refused: faults.hits('postThrottled') ? throttled() : undefined,
      unanswered: faults.hits('postFails') ? broken() : undefined,
    });

/** Whether a connection is still there. */
function managementFor(environment: Environment, { world: { faults }, gateway }: Aws) {
  const refusal = () => {
    if (faults.hits('postThrottled')) return throttled();
    return faults.hits('probeFails') ? broken() : undefined;
  };
  const send = ({ input: { ConnectionId = '' } }: { readonly input: GetConnectionCommandInput }) =>
    environment.call(
      'GetConnection',
      () => {
        if (!gateway.isOpen(ConnectionId) || faults.hits('postGoneThoughOpen')) throw gone();
        return {};
      },
      { refused: refusal() },
    );
  return { send } as never;
}

/** Puts a request and its answer into the trace, when all of it is printed. */
const described =
  <T>(world: World, input: object, perform: () => T) =>
  (): T => {
    world.detail(() => JSON.stringify(input));
    try {
      const answer = perform();
      world.detail(() => `= ${JSON.stringify(answer)}`);
      return answer;
    } catch (error) {
      world.detail(() => `= ${error}`);
      throw error;
    }
  };

const throttled = (): Error =>
  new ProvisionedThroughputExceededException({ message: 'throttled', $metadata: {} });
const gone = (): Error => new GoneException({ message: '', $metadata: { httpStatusCode: 410 } });
const broken = (): Error =>
  new ApiGatewayManagementApiServiceException({
    name: 'InternalServerError',
    $fault: 'server',
    $metadata: { httpStatusCode: 500 },
  });
const hungUp = (): Error => new Error('socket hang up');
