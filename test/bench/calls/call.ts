import { Agent } from 'node:https';
import { DynamoDBClient, type DynamoDBClientConfig, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { SocketHandler } from '../../../shared/aws/sdk/handler.ts';
import { lean } from '../../../shared/aws/sdk/lean.ts';
import type { Table } from './table.ts';

/** Makes one call after the other in one way, and tells its parent what one takes of the processor, in microseconds. */
const WARM_UP = 3_000;
const CALLS = 3_000;

export type Way = 'the SDK as it comes' | 'lean';
export interface Task extends Table {
  readonly way: Way;
}

const configOf = ({ endpoint }: Table): DynamoDBClientConfig => ({
  endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local', sessionToken: 'x'.repeat(500) },
});

const CLIENTS: Readonly<Record<Way, (table: Table) => DynamoDBClient>> = {
  'the SDK as it comes': ({ ca, ...table }) =>
    new DynamoDBClient({
      ...configOf({ ca, ...table }),
      requestHandler: { httpsAgent: new Agent({ keepAlive: true, ca }) },
    }),
  lean: ({ ca, ...table }) =>
    lean(DynamoDBClient, { ...configOf({ ca, ...table }), requestHandler: new SocketHandler({ ca }) }),
};

/** As workers share their budget. */
const command = (now: number) =>
  new UpdateItemCommand({
    TableName: 'topics',
    Key: { topic: { S: '#posts' } },
    UpdateExpression: 'SET freeAt = :end',
    ConditionExpression: 'attribute_not_exists(freeAt) OR freeAt < :now',
    ExpressionAttributeValues: { ':end': { N: String(now + 50) }, ':now': { N: String(now) } },
    ReturnValues: 'UPDATED_NEW',
  });

process.once('message', async ({ way, ...table }: Task) => {
  const client = CLIENTS[way](table);
  const call = async (times: number) => {
    for (let time = 0; time < times; time++) await client.send(command(Date.now()));
  };
  await call(WARM_UP);
  const before = process.cpuUsage();
  await call(CALLS);
  const { user, system } = process.cpuUsage(before);
  process.send?.((user + system) / CALLS, () => process.exit());
});
