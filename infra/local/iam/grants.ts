import type { PolicyDocument, Statement } from '../policy/policy.ts';
import { compileResourcePolicies, type ResourcePolicy } from '../policy/resource-policy.ts';
import { functionArn } from '../stack/resources.ts';
import type { Resource, Stack } from '../stack/stack.ts';
import type { PolicyProblems } from './policy-problems.ts';

/** A document about one resource, and where in the template that is said. */
interface Grant {
  readonly arn: string;
  readonly resource: Resource;
  readonly property: string;
  readonly document: PolicyDocument;
}

/** The policies that a template puts on its queues, functions, tables and buses, by ARN. */
export function readResourcePolicies(
  stack: Stack,
  problems: PolicyProblems,
): ReadonlyMap<string, ResourcePolicy> {
  const grants = [...queuePolicies(stack), ...functionPermissions(stack), ...ownPolicies(stack)];
  const usable = grants.filter(({ resource, property, document }) =>
    problems.attempt(resource, property, document, () => compileResourcePolicies([document])),
  );
  const policies = new Map<string, ResourcePolicy>();
  for (const [arn, about] of Map.groupBy(usable, ({ arn }) => arn)) {
    policies.set(arn, compileResourcePolicies(about.map(({ document }) => document)));
  }
  return policies;
}

function* queuePolicies(stack: Stack): Generator<Grant> {
  const arns = new Map(
    stack.ofType('AWS::SQS::Queue').map(({ logicalId }) => [stack.ref(logicalId), stack.arn(logicalId)]),
  );
  for (const resource of stack.ofType('AWS::SQS::QueuePolicy')) {
    const { PolicyDocument: document, Queues } = resource.properties as {
      PolicyDocument: PolicyDocument;
      Queues: readonly string[];
    };
    for (const url of Queues) {
      const arn = arns.get(url);
      if (arn !== undefined) yield { arn, resource, property: 'PolicyDocument', document };
    }
  }
}

/** As Lambda writes it into the function's policy (API reference, AddPermission). */
function* functionPermissions(stack: Stack): Generator<Grant> {
  for (const resource of stack.ofType('AWS::Lambda::Permission')) {
    const { Action, FunctionName, Principal, SourceAccount, SourceArn } = resource.properties as {
      Action: string;
      FunctionName: string;
      Principal: string;
      SourceAccount?: string;
      SourceArn?: string;
    };
    const arn = functionArn(stack, FunctionName);
    const statement: Statement = {
      Effect: 'Allow',
      Principal: Principal.endsWith('.amazonaws.com') ? { Service: Principal } : { AWS: Principal },
      Action,
      Resource: arn,
      Condition: {
        ...(SourceAccount !== undefined && { StringEquals: { 'aws:SourceAccount': SourceAccount } }),
        ...(SourceArn !== undefined && { ArnLike: { 'aws:SourceArn': SourceArn } }),
      },
    };
    yield { arn, resource, property: 'Principal', document: { Statement: statement } };
  }
}

/** Types whose resources have their policy as a property of their own. */
const OWN_POLICY: Readonly<Record<string, (properties: Resource['properties']) => unknown>> = {
  'AWS::DynamoDB::Table': ({ ResourcePolicy }) =>
    (ResourcePolicy as { PolicyDocument?: unknown } | undefined)?.PolicyDocument,
  'AWS::Events::EventBus': ({ Policy }) => Policy,
};

function* ownPolicies(stack: Stack): Generator<Grant> {
  for (const [type, policyOf] of Object.entries(OWN_POLICY)) {
    for (const resource of stack.ofType(type)) {
      const given = policyOf(resource.properties) as PolicyDocument | Statement | undefined;
      if (!given) continue;
      // A bus takes a whole document or a single statement.
      const document = 'Statement' in given ? given : { Statement: given };
      yield { arn: stack.arn(resource.logicalId), resource, property: 'Policy', document };
    }
  }
}
