import type { Account } from '../account.ts';
import { functionArn } from '../lambda/resources.ts';
import { DELETE, RECEIVE } from '../lambda/rights.ts';
import { explain } from '../policy/denial.ts';
import type { Resource, Stack } from '../stack/stack.ts';
import type { Access } from './access.ts';
import type { FunctionIdentities } from './identities.ts';
import type { PolicyProblems } from './policy-problems.ts';
import { roleNameOf } from './principals.ts';
import type { Roles } from './roles.ts';

/** Lambda and Scheduler refuse a role that they cannot assume. A role of elsewhere is taken on trust. */
export function checkTrust(
  stack: Stack,
  { trust }: Roles,
  { region, accountId }: Account,
  problems: PolicyProblems,
): void {
  const check = (resource: Resource, property: string, roleArn: unknown, service: string, source: string) => {
    const policy = trust.get(roleNameOf(String(roleArn)));
    if (!policy) return;
    const context = { 'aws:SourceAccount': accountId, 'aws:SourceArn': source };
    const request = { action: 'sts:AssumeRole', resource: String(roleArn), context };
    if (policy({ kind: 'service', arn: service }, request) === 'allowed') return;
    problems.add(resource, property, `expected a role that ${service} may assume, got ${roleArn}`);
  };
  for (const resource of stack.ofType('AWS::Lambda::Function')) {
    check(resource, 'Role', resource.properties.Role, 'lambda.amazonaws.com', stack.arn(resource.logicalId));
  }
  const group = `arn:aws:scheduler:${region}:${accountId}:schedule-group/default`;
  for (const resource of stack.ofType('AWS::Scheduler::Schedule')) {
    const { RoleArn } = resource.properties.Target as { readonly RoleArn?: string };
    check(resource, 'Target.RoleArn', RoleArn, 'scheduler.amazonaws.com', group);
  }
}

/** Lambda refuses a mapping whose function may not use the queue. */
export function checkMappings(
  stack: Stack,
  functions: FunctionIdentities,
  access: Access,
  problems: PolicyProblems,
): void {
  for (const resource of stack.ofType('AWS::Lambda::EventSourceMapping')) {
    const { EventSourceArn, FunctionName } = resource.properties;
    const identity = functions.get(functionArn(stack, String(FunctionName)));
    if (!identity) continue;
    for (const action of [...RECEIVE, DELETE]) {
      const denial = access.check(identity.principal, { action, resource: String(EventSourceArn) });
      if (!denial) continue;
      const call = action.slice('sqs:'.length);
      const message = `The function execution role does not have permissions to call ${call} on SQS`;
      problems.add(resource, 'FunctionName', message, explain(denial));
    }
  }
}
