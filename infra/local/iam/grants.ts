import type { Grant } from '../policy/grant.ts';
import { compileResourcePolicies, type ResourcePolicy } from '../policy/resource-policy.ts';
import type { PolicyProblems } from './policy-problems.ts';

/** The policies that a template puts on its resources, by ARN. */
export function readResourcePolicies(
  grants: readonly Grant[],
  problems: PolicyProblems,
): ReadonlyMap<string, ResourcePolicy> {
  const usable = grants.filter(({ resource, property, document }) =>
    problems.attempt(resource, property, document, () => compileResourcePolicies([document])),
  );
  const policies = new Map<string, ResourcePolicy>();
  for (const [arn, about] of Map.groupBy(usable, ({ arn }) => arn)) {
    policies.set(arn, compileResourcePolicies(about.map(({ document }) => document)));
  }
  return policies;
}
