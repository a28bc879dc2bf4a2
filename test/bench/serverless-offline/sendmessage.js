import {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { DeleteCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { TableName, table } from './table.js';

const api = new ApiGatewayManagementApiClient({
  endpoint: process.env.CALLBACK_URL,
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
});

/** What a chat on API Gateway does that grew out of a tutorial: everybody in the table gets a post, at the same time. */
export async function handler({ body }) {
  const { message } = JSON.parse(body);
  const { Items } = await table.send(new ScanCommand({ TableName, ProjectionExpression: 'connectionId' }));
  await Promise.all(Items.map(({ connectionId }) => post(connectionId, message)));
  return { statusCode: 200, body: 'Data sent.' };
}

async function post(ConnectionId, message) {
  try {
    await api.send(new PostToConnectionCommand({ ConnectionId, Data: message }));
  } catch (error) {
    if (error.$metadata?.httpStatusCode !== 410) throw error;
    await table.send(new DeleteCommand({ TableName, Key: { connectionId: ConnectionId } }));
  }
}
