import { compilePolicies, type Policy, type PolicyDocument, statementsOf } from '../policy/policy.ts';
import { compileResourcePolicies, type ResourcePolicy } from '../policy/resource-policy.ts';
import type { Resource, Stack } from '../stack/stack.ts';
import { AWS_MANAGED_POLICIES } from './managed.ts';
import type { PolicyProblems } from './policy-problems.ts';
import { roleNameOf } from './principals.ts';

const AWS_MANAGED = 'arn:aws:iam::aws:policy/';

/** What a template says of its roles, by their name. */
export interface Roles {
  /** What each may do. A role that is not in the template may have policies in it all the same. */
  readonly policies: ReadonlyMap<string, Policy>;
  /** Who may act as each. */
  readonly trust: ReadonlyMap<string, ResourcePolicy>;
}

/** A document that a role has, and where in the template that is said. */
interface Attachment {
  readonly roleName: string;
  readonly resource: Resource;
  readonly property: string;
  readonly document: PolicyDocument;
}

export function readRoles(stack: Stack, problems: PolicyProblems): Roles {
  const attachments = [...inlinePolicies(stack, problems), ...attachedPolicies(stack)];
  const usable = attachments.filter(({ resource, property, document }) =>
    problems.attempt(resource, property, document, () => compilePolicies([document])),
  );
  const documents = Map.groupBy(usable, ({ roleName }) => roleName);
  const policies = new Map<string, Policy>();
  for (const [roleName, own] of documents) {
    policies.set(roleName, compilePolicies(own.map(({ document }) => document)));
  }
  return { policies, trust: readTrust(stack, problems) };
}

/** What the roles themselves name. */
function* inlinePolicies(stack: Stack, problems: PolicyProblems): Generator<Attachment> {
  for (const resource of stack.ofType('AWS::IAM::Role')) {
    const roleName = stack.physicalName(resource.logicalId);
    const { Policies = [], ManagedPolicyArns = [] } = resource.properties as {
      Policies?: readonly { readonly PolicyDocument: PolicyDocument }[];
      ManagedPolicyArns?: readonly string[];
    };
    for (const { PolicyDocument: document } of Policies) {
      yield { roleName, resource, property: 'Policies', document };
    }
    for (const arn of ManagedPolicyArns) {
      const document = managedPolicy(stack, arn);
      if (document) yield { roleName, resource, property: 'ManagedPolicyArns', document };
      else reportUnknown(resource, arn, problems);
    }
  }
}

function managedPolicy(stack: Stack, arn: string): PolicyDocument | undefined {
  if (arn.startsWith(AWS_MANAGED)) return AWS_MANAGED_POLICIES.get(arn.slice(AWS_MANAGED.length));
  const policy = stack
    .ofType('AWS::IAM::ManagedPolicy')
    .find(({ logicalId }) => stack.arn(logicalId) === arn);
  return policy?.properties.PolicyDocument as PolicyDocument | undefined;
}

function reportUnknown(resource: Resource, arn: string, problems: PolicyProblems): void {
  const known = [...AWS_MANAGED_POLICIES.keys()].join(', ');
  const message = `expected a managed policy of this template, or one of AWS's ${known}, got ${arn}`;
  problems.add(resource, 'ManagedPolicyArns', message, 'Write what the role needs into a policy of its own.');
}

/** What policies say of the roles that have them. */
function* attachedPolicies(stack: Stack): Generator<Attachment> {
  for (const resource of [...stack.ofType('AWS::IAM::Policy'), ...stack.ofType('AWS::IAM::ManagedPolicy')]) {
    const { PolicyDocument: document, Roles = [] } = resource.properties as {
      PolicyDocument: PolicyDocument;
      Roles?: readonly string[];
    };
    for (const role of Roles) {
      yield { roleName: roleNameOf(role), resource, property: 'PolicyDocument', document };
    }
  }
}

function readTrust(stack: Stack, problems: PolicyProblems): ReadonlyMap<string, ResourcePolicy> {
  const trust = new Map<string, ResourcePolicy>();
  for (const resource of stack.ofType('AWS::IAM::Role')) {
    const property = 'AssumeRolePolicyDocument';
    const document = resource.properties[property] as PolicyDocument | undefined;
    if (!document) continue;
    // The one kind of policy that names no resource: it is its role.
    const Statement = statementsOf(document).map((statement) => ({ ...statement, Resource: '*' }));
    const policy = problems.attempt(resource, property, document, () =>
      compileResourcePolicies([{ ...document, Statement }]),
    );
    if (policy) trust.set(stack.physicalName(resource.logicalId), policy);
  }
  return trust;
}
