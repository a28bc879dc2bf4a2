import { type TargetService, writeRefusal } from '../http/rights.ts';
import { arnOfSecret } from './resources.ts';

/** What must be known of Secrets Manager to check the requests to it. */
export const secretsManager: TargetService = {
  name: 'secretsmanager',
  target: 'secretsmanager',
  unsigned: 'Missing Authentication Token',

  accesses(operation, { SecretId }, account) {
    if (typeof SecretId !== 'string') return [];
    return [{ action: `secretsmanager:${operation}`, resource: arnOfSecret(SecretId, account) }];
  },

  refuse: (response, refusal) =>
    writeRefusal(
      response,
      400,
      refusal,
      { __type: `${refusal.kind}Exception` },
      'application/x-amz-json-1.1',
    ),
};
