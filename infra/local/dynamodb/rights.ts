import { isRecord } from '../../../shared/protocol/json.ts';
import type { Account } from '../account.ts';
import { CORAL, distinct, recordsIn, type TargetService, writeRefusal } from '../http/rights.ts';
import { checksum } from './checksum.ts';

/** Each part of a transaction needs the right for itself. */
const TRANSACTION_ACTIONS: Readonly<Record<string, string>> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  Get: 'GetItem',
  ConditionCheck: 'ConditionCheckItem',
};

/** What must be known of DynamoDB to check the requests to it. */
export const dynamodb: TargetService = {
  name: 'dynamodb',
  target: 'DynamoDB_20120810',
  unsigned: 'Request is missing Authentication Token',

  accesses(operation, input, account) {
    if (operation.startsWith('Transact')) {
      const parts = recordsIn(input.TransactItems).flatMap(Object.entries);
      return distinct(
        parts.map(([kind, part]) => ({
          action: `dynamodb:${TRANSACTION_ACTIONS[kind] ?? kind}`,
          resource: tableArn((part as { TableName?: unknown } | null)?.TableName, account),
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
  },

  refuse: (response, refusal) =>
    writeRefusal(
      response,
      400,
      refusal,
      { __type: `${CORAL}${refusal.kind}Exception` },
      'application/x-amz-json-1.0',
      checksum,
    ),
};

/** A table goes by its name or its ARN. */
const tableArn = (table: unknown, { region, accountId }: Account): string =>
  String(table).startsWith('arn:') ? String(table) : `arn:aws:dynamodb:${region}:${accountId}:table/${table}`;
