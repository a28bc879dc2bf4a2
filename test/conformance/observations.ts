import { type DynamoDBClient, PutItemCommand, paginateQuery } from '@aws-sdk/client-dynamodb';
import { until } from '../support/until.ts';

// biome-ignore lint/suspicious/noExplicitAny: a test looks at events as they came, and a wrong shape fails it
type SeenEvent = any;

/** What one invocation saw, as its handler wrote it down. */
export interface Observation {
  readonly source: 'route' | 'authorizer' | 'worker';
  readonly event: SeenEvent;
  /** Epoch milliseconds, by the clock of the handler. */
  readonly startedAt: number;
  /** Only of handlers that were told to take their time. */
  readonly endedAt?: number;
  /** What @connections answered to the handler. */
  readonly outcome?: Readonly<Record<string, { status: number; name?: string; message?: string }>>;
}

/** The table that every handler of the app writes to. */
export class Observations {
  readonly #dynamodb: DynamoDBClient;
  readonly #tableName: string;

  constructor(dynamodb: DynamoDBClient, tableName: string) {
    this.#dynamodb = dynamodb;
    this.#tableName = tableName;
  }

  /** In the order in which the handlers started. A subject is a connection id or the name of a case. */
  async of(subject: string): Promise<Observation[]> {
    const pages = paginateQuery(
      { client: this.#dynamodb },
      {
        TableName: this.#tableName,
        ConsistentRead: true,
        KeyConditionExpression: 'subject = :subject',
        ExpressionAttributeValues: { ':subject': { S: subject } },
      },
    );
    const found: Observation[] = [];
    for await (const { Items = [] } of pages) {
      found.push(...Items.map(({ what }) => JSON.parse(String(what?.S))));
    }
    return found;
  }

  /** The first that matches, of those that are there and those to come. */
  async when(subject: string, matches: (observation: Observation) => boolean): Promise<Observation> {
    const found = await until(async () => (await this.of(subject)).find(matches));
    return found as Observation; // `until` gives nothing that is not true
  }

  /** The event of a connection's life that is of this type. */
  async event(subject: string, eventType: 'CONNECT' | 'MESSAGE' | 'DISCONNECT'): Promise<SeenEvent> {
    const { event } = await this.when(subject, (each) => isRoute(each, eventType));
    return event;
  }

  /** Which route handlers have been invoked for it so far. */
  async routeKeys(subject: string): Promise<string[]> {
    const seen = await this.of(subject);
    return seen.filter((each) => isRoute(each)).map(({ event }) => event.requestContext.routeKey);
  }

  /** Lets every handler go on that waits there, now or later. */
  async open(gate: string): Promise<void> {
    const Item = { subject: { S: `gate/${gate}` }, id: { S: 'open' } };
    await this.#dynamodb.send(new PutItemCommand({ TableName: this.#tableName, Item }));
  }
}

const isRoute = ({ source, event }: Observation, eventType?: string): boolean =>
  source === 'route' && (eventType === undefined || event.requestContext.eventType === eventType);
