import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, paginateQuery } from '@aws-sdk/lib-dynamodb';

const client = DynamoDBDocumentClient.from(new DynamoDBClient());

/** The subscribers of a topic, as most read them. */
export async function subscribers(projection) {
  const found = [];
  const pages = paginateQuery(
    { client },
    {
      TableName: 'subscriptions',
      KeyConditionExpression: 'topicShard = :shard',
      ExpressionAttributeValues: { ':shard': 'chat/lobby#0' },
      ...projection,
    },
  );
  for await (const { Items } of pages) for (const { connectionId } of Items) found.push(connectionId);
  return found;
}
