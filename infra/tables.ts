import { RemovalPolicy } from 'aws-cdk-lib';
import {
  type Attribute,
  AttributeType,
  BillingMode,
  ProjectionType,
  Table,
  TableEncryption,
  type TableProps,
} from 'aws-cdk-lib/aws-dynamodb';
import type { Construct } from 'constructs';
import {
  type Keys,
  TABLES,
  type TableDefinition,
  type TableName,
  TTL_ATTRIBUTE,
} from '../shared/data/tables.ts';
import { REMOVAL_POLICIES } from './removal.ts';
import type { CompleteSettings } from './settings.ts';

export type Tables = Readonly<Record<TableName, Table>>;

/**
 * The tables of the data model. An update that changed an id would replace the table. Connections and subscriptions live
 * for 2 hours and are nothing without each other, so only the others are worth keeping: topics, their messages, and
 * revocations, for a revocation that is lost makes stolen tokens good again.
 */
export function createTables(scope: Construct, settings: CompleteSettings): Tables {
  const { encryptionKey, pointInTimeRecovery, deletionProtection, removal } = settings;
  const all = encryptionKey && { encryption: TableEncryption.CUSTOMER_MANAGED, encryptionKey };
  const passing = { ...all, removalPolicy: RemovalPolicy.DESTROY };
  const kept = {
    ...all,
    removalPolicy: REMOVAL_POLICIES[removal],
    deletionProtection,
    ...(pointInTimeRecovery && {
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: pointInTimeRecovery },
    }),
  };
  return {
    connections: createTable(scope, 'Connections', TABLES.connections, passing),
    subscriptions: createTable(scope, 'Subscriptions', TABLES.subscriptions, passing),
    topics: createTable(scope, 'Topics', TABLES.topics, kept),
    messages: createTable(scope, 'Messages', TABLES.messages, kept),
    access: createTable(scope, 'Access', TABLES.access, kept),
  };
}

function createTable(
  scope: Construct,
  id: string,
  { keys, indexes = {} }: TableDefinition,
  options: Partial<TableProps>,
): Table {
  const table = new Table(scope, id, {
    ...keySchema(keys),
    billingMode: BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: TTL_ATTRIBUTE,
    ...options,
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
