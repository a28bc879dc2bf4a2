import type { Account } from '../account.ts';
import { type GuardedService, writeRefusal } from '../http/rights.ts';
import { type Denial, explain } from '../policy/denial.ts';
import type { AccessRequest } from '../policy/policy.ts';

/** What must be known of API Gateway to check the calls to @connections. */
export const executeApi: GuardedService = {
  name: 'execute-api',
  unsigned: 'Missing Authentication Token',

  refuse(response, refusal) {
    const { kind, denial } = refusal;
    response.setHeader('x-amzn-ErrorType', `${kind}Exception`);
    writeRefusal(response, 403, denial ? { ...refusal, message: explainMasked(denial) } : refusal);
  },
};

/** What a call like `POST /prod/@connections/{id}` needs to be allowed. */
export const connectionsAccess = (
  { region, accountId }: Account,
  { apiId, stage, method, connectionId }: Record<'apiId' | 'stage' | 'method' | 'connectionId', string>,
): AccessRequest => ({
  action: 'execute-api:ManageConnections',
  resource: `arn:aws:execute-api:${region}:${accountId}:${apiId}/${stage}/${method}/@connections/${connectionId}`,
});

/**
 * Captured: the account masked but for four digits, a placeholder for the id, and a reason only for a Deny
 * (aws-cdk#18410, and floci-io/floci, resource policy enforcement, R5).
 */
function explainMasked({ resource, reason, ...denial }: Denial): string {
  const masked = resource
    .replace(/:\d{8}(\d{4}):/, ':********$1:')
    .replace(/@connections\/.*$/, '@connections/{connectionId}');
  const text = explain({ ...denial, resource: masked, reason });
  return reason.startsWith('explicit deny') ? text : text.replace(/ because .*$/, '');
}
