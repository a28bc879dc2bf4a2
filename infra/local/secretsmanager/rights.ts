import { refuseInJson11, type TargetService } from '../http/rights.ts';
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

  refuse: refuseInJson11,
};
