import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import { TableName, table } from './table.js';

export async function handler({ requestContext: { connectionId } }) {
  await table.send(new DeleteCommand({ TableName, Key: { connectionId } }));
  return { statusCode: 200 };
}
