import { isRecord } from '../../../shared/protocol/json.ts';
import type { Account } from '../account.ts';
import type { AccessRequest } from '../policy/policy.ts';

type Input = Readonly<Record<string, unknown>>;

/** Services whose requests name their operation in `X-Amz-Target`. */
export type TargetService = 'dynamodb' | 'sqs' | 'events';

const ANY = '*';

/**
 * What a request to an AWS service needs to be allowed, after the "Actions, resources, and condition keys" pages of
 * the service authorization reference.
 */
export function accessesOf(
  service: TargetService,
  operation: string,
  input: Input,
  account: Account,
): AccessRequest[] {
  const accesses = TABLE[service](operation, input, account);
  return accesses.length > 0 ? accesses : [{ action: `${service}:${operation}`, resource: ANY }];
}

/** `POST /prod/@connections/{id}`, whatever the id. */
export const connectionsArn = (
  { region, accountId }: Account,
  { apiId, stage, method, connectionId }: Record<'apiId' | 'stage' | 'method' | 'connectionId', string>,
): string =>
  `arn:aws:execute-api:${region}:${accountId}:${apiId}/${stage}/${method}/@connections/${connectionId}`;

export const MANAGE_CONNECTIONS = 'execute-api:ManageConnections';

const TABLE: Readonly<
  Record<TargetService, (operation: string, input: Input, account: Account) => AccessRequest[]>
> = {
  dynamodb: dynamodbAccesses,
  sqs: sqsAccesses,
  events: eventsAccesses,
};

/** Each part of a transaction needs the right for itself. */
const TRANSACTION_ACTIONS: Readonly<Record<string, string>> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  Get: 'GetItem',
  ConditionCheck: 'ConditionCheckItem',
};

function dynamodbAccesses(operation: string, input: Input, account: Account): AccessRequest[] {
  if (operation.startsWith('Transact')) {
    const parts = listOf(input.TransactItems).flatMap(Object.entries);
    return distinct(
      parts.map(([kind, part]) => ({
        action: `dynamodb:${TRANSACTION_ACTIONS[kind] ?? kind}`,
        resource: tableArn((part as Input)?.TableName, account),
      })),
    );
  }
  const action = `dynamodb:${operation}`;
  if (isRecord(input.RequestItems)) {
    return Object.keys(input.RequestItems).map((table) => ({ action, resource: tableArn(table, account) }));
  }
  if (typeof input.ResourceArn === 'string') return [{ action, resource: input.ResourceArn }];
  if (input.TableName === undefined) return [];
  const table = tableArn(input.TableName, account);
  const isOfIndex = input.IndexName !== undefined && ['Query', 'Scan'].includes(operation);
  return [{ action, resource: isOfIndex ? `${table}/index/${input.IndexName}` : table }];
}

/** A table goes by its name or its ARN. */
const tableArn = (table: unknown, { region, accountId }: Account): string =>
  String(table).startsWith('arn:') ? String(table) : `arn:aws:dynamodb:${region}:${accountId}:table/${table}`;

/** A batch needs no right of its own. */
function sqsAccesses(operation: string, { QueueUrl, QueueName }: Input, account: Account): AccessRequest[] {
  const name = QueueName ?? (typeof QueueUrl === 'string' ? QueueUrl.split('/').at(-1) : undefined);
  if (name === undefined) return [];
  const { region, accountId } = account;
  return [
    {
      action: `sqs:${operation.replace(/Batch$/, '')}`,
      resource: `arn:aws:sqs:${region}:${accountId}:${name}`,
    },
  ];
}

function eventsAccesses(operation: string, { Entries }: Input, account: Account): AccessRequest[] {
  if (operation !== 'PutEvents') return [];
  return distinct(
    listOf(Entries).map(({ EventBusName, Source, DetailType }) => ({
      action: 'events:PutEvents',
      resource: busArn(EventBusName ?? 'default', account),
      context: {
        ...(typeof Source === 'string' && { 'events:source': Source }),
        ...(typeof DetailType === 'string' && { 'events:detail-type': DetailType }),
      },
    })),
  );
}

const busArn = (bus: unknown, { region, accountId }: Account): string =>
  String(bus).startsWith('arn:') ? String(bus) : `arn:aws:events:${region}:${accountId}:event-bus/${bus}`;

const listOf = (value: unknown): Input[] => (Array.isArray(value) ? value.filter(isRecord) : []);

const distinct = (accesses: readonly AccessRequest[]): AccessRequest[] => [
  ...new Map(accesses.map((access) => [JSON.stringify(access), access])).values(),
];
