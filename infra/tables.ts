import { RemovalPolicy } from 'aws-cdk-lib';
import { type Attribute, AttributeType, BillingMode, ProjectionType, Table } from 'aws-cdk-lib/aws-dynamodb';
import type { Construct } from 'constructs';
import {
  type Keys,
  TABLES,
  type TableDefinition,
  type TableName,
  TTL_ATTRIBUTE,
} from '../shared/data/tables.ts';

export type Tables = Readonly<Record<TableName, Table>>;

/** The tables of the data model. An update that changed an id would replace the table. */
export const createTables = (scope: Construct): Tables => ({
  connections: createTable(scope, 'Connections', TABLES.connections),
  subscriptions: createTable(scope, 'Subscriptions', TABLES.subscriptions),
  topics: createTable(scope, 'Topics', TABLES.topics),
  messages: createTable(scope, 'Messages', TABLES.messages),
});

function createTable(scope: Construct, id: string, { keys, indexes = {} }: TableDefinition): Table {
  const table = new Table(scope, id, {
    ...keySchema(keys),
    billingMode: BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: TTL_ATTRIBUTE,
    // Nothing in them is kept for long: connections live 2 hours, and a history is no archive.
    removalPolicy: RemovalPolicy.DESTROY,
  });
  for (const [indexName, index] of Object.entries(indexes)) {
    table.addGlobalSecondaryIndex({
      indexName,
      ...keySchema(index.keys),
      projectionType: ProjectionType.INCLUDE,
      nonKeyAttributes: [...index.projected],
    });
  }
  return table;
}

function keySchema(keys: Keys): { partitionKey: Attribute; sortKey?: Attribute } {
  const [partitionKey, sortKey] = Object.entries(keys).map(([name, type]) => ({ name, type: TYPES[type] }));
  if (!partitionKey) throw new Error('expected a table to have a partition key, got none');
  return { partitionKey, ...(sortKey && { sortKey }) };
}

const TYPES = { S: AttributeType.STRING, N: AttributeType.NUMBER };
