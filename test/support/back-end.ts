import { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient, paginateScan, type ScanCommandInput } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import type { Ready } from '../../infra/local/ready.ts';

/** A back end: the real AWS SDK, with nothing but the values of the ready file. */
export class BackEnd {
  readonly dynamodb: DynamoDBClient;
  readonly events: EventBridgeClient;
  readonly sqs: SQSClient;
  readonly management: ApiGatewayManagementApiClient;
  readonly #ready: Ready;

  constructor(ready: Ready) {
    const { endpoint, region, accessKeyId, secretAccessKey, websocketUrl } = ready;
    const config = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
    this.#ready = ready;
    this.dynamodb = new DynamoDBClient(config);
    this.events = new EventBridgeClient(config);
    this.sqs = new SQSClient(config);
    this.management = new ApiGatewayManagementApiClient({
      ...config,
      endpoint: websocketUrl.replace(/^ws/, 'http'),
    });
  }

  /** Publishes with one PutEvents; answers with the event ids. A detail may be written out already. */
  publish(...details: unknown[]): Promise<string[]> {
    return this.put(
      ...details.map((detail) => ({ source: 'my.shop', detailType: 'fanwire.publish', detail })),
    );
  }

  async put(...events: { source: string; detailType: string; detail: unknown }[]): Promise<string[]> {
    const { Entries = [], FailedEntryCount } = await this.events.send(
      new PutEventsCommand({
        Entries: events.map(({ source, detailType, detail }) => ({
          EventBusName: this.#ready.eventBusName,
          Source: source,
          DetailType: detailType,
          Detail: typeof detail === 'string' ? detail : JSON.stringify(detail),
        })),
      }),
    );
    if (FailedEntryCount) throw new Error(`expected every event to be taken, got ${JSON.stringify(Entries)}`);
    return Entries.map(({ EventId }) => String(EventId));
  }

  /** Every item of a table, by the name that the CDK app gives it. */
  async rows(table: string, input: Partial<ScanCommandInput> = {}): Promise<Record<string, unknown>[]> {
    const pages = paginateScan(
      { client: this.dynamodb },
      { TableName: this.#ready.tables[table], ConsistentRead: true, ...input },
    );
    const rows: Record<string, unknown>[] = [];
    for await (const { Items = [] } of pages) rows.push(...Items);
    return rows;
  }

  /** Ids of the connections that have a row in either table. */
  async connectionsWithRows(): Promise<Set<string>> {
    const rows = [...(await this.rows('connections')), ...(await this.rows('subscriptions'))];
    return new Set(rows.map(({ connectionId }) => (connectionId as { S: string }).S));
  }

  /** Messages in a queue: waiting, delayed and being worked on. */
  async depth(queue: string): Promise<number> {
    const { Attributes = {} } = await this.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: this.#ready.queues[queue], AttributeNames: ['All'] }),
    );
    const {
      ApproximateNumberOfMessages,
      ApproximateNumberOfMessagesDelayed,
      ApproximateNumberOfMessagesNotVisible,
    } = Attributes;
    return (
      Number(ApproximateNumberOfMessages) +
      Number(ApproximateNumberOfMessagesDelayed) +
      Number(ApproximateNumberOfMessagesNotVisible)
    );
  }

  /** Depth of every queue. */
  async depths(): Promise<Record<string, number>> {
    const names = Object.keys(this.#ready.queues);
    const depths = await Promise.all(names.map((name) => this.depth(name)));
    return Object.fromEntries(names.map((name, index) => [name, depths[index] ?? Number.NaN]));
  }

  /** Takes what is in a queue now. */
  async drain(queue: string): Promise<Message[]> {
    const QueueUrl = this.#ready.queues[queue];
    const taken: Message[] = [];
    for (;;) {
      const { Messages = [] } = await this.sqs.send(
        new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }),
      );
      if (Messages.length === 0) return taken;
      for (const { ReceiptHandle } of Messages) {
        await this.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
      }
      taken.push(...Messages);
    }
  }
}
