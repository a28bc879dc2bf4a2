import {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import middy from '@middy/core';
import z from 'zod';

const table = DynamoDBDocumentClient.from(new DynamoDBClient());
const sqs = new SQSClient();
const connections = new ApiGatewayManagementApiClient({ endpoint: process.env.CALLBACK_URL });
const Frame = z.object({ action: z.string(), topic: z.string().max(128), id: z.string().optional() });

/** A route as most write it: parse with zod, one item into a table, and clients for what else may come. */
export const handler = middy(async ({ requestContext: { connectionId }, body }) => {
  const { topic, id, ...rest } = Frame.parse(JSON.parse(body));
  await table.send(new PutCommand({ TableName: process.env.TOPICS_TABLE, Item: { topic, connectionId } }));
  if (rest.queue) {
    await sqs.send(new SendMessageCommand({ QueueUrl: process.env.DELIVERY_QUEUE_URL, MessageBody: topic }));
  }
  if (rest.post) {
    await connections.send(new PostToConnectionCommand({ ConnectionId: connectionId, Data: topic }));
  }
  return { statusCode: 200, body: JSON.stringify({ type: 'ack', id }) };
});
