import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

const { DYNAMODB_ENDPOINT, TABLE_NAME } = process.env;

export const TableName = TABLE_NAME;
export const table = DynamoDBDocumentClient.from(
  new DynamoDBClient({
    endpoint: DYNAMODB_ENDPOINT,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  }),
);
