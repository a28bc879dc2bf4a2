import type { IKey } from 'aws-cdk-lib/aws-kms';
import { allow, type Right } from './service.ts';

/** What DynamoDB and SQS do with a key on behalf of who calls them (their guides, "Key management"). */
const USE_OF_KEY = [
  ...['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey'],
  ...['kms:ReEncryptFrom', 'kms:ReEncryptTo'],
];

/** The rights to the key that come with those to tables and queues. */
export const keyRights = (key: IKey | undefined, rights: readonly Right[]): Right[] =>
  key && rights.some(({ actions }) => actions.some((action) => /^(dynamodb|sqs):/.test(action)))
    ? [allow(USE_OF_KEY, key.keyArn)]
    : [];
