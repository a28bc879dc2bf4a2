import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { TableName, table } from './table.js';

export async function handler({ requestContext: { connectionId } }) {
  await table.send(new PutCommand({ TableName, Item: { connectionId } }));
  return { statusCode: 200 };
}
