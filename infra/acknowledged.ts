import { CfnResource, Stack, Validations } from 'aws-cdk-lib';
import { CfnRoute, CfnStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { CfnTable } from 'aws-cdk-lib/aws-dynamodb';
import { CfnEventSourceMapping, CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import type { Fanwire } from './fanwire.ts';
import type { CompleteSettings } from './settings.ts';
import { TICKETS_ROUTE } from './tickets.ts';
import { connectionsArn } from './workers.ts';

/** Rules of cdk-nag (`AwsSolutions`, `Serverless`) that resources of Fanwire do not keep, and why that is as it should be. */
interface Acknowledgement {
  readonly rules: readonly string[];
  readonly of: (resource: CfnResource, settings: CompleteSettings) => boolean;
  readonly because: string;
}

const ACKNOWLEDGED: readonly Acknowledgement[] = [
  {
    rules: ['AwsSolutions-APIG4'],
    of: (resource) =>
      resource instanceof CfnRoute && !['$connect', TICKETS_ROUTE].includes(resource.routeKey),
    because:
      'API Gateway authorizes WebSocket clients when they connect; there is no authorizer of another route.',
  },
  {
    rules: ['AwsSolutions-APIG4'],
    of: (resource) => resource instanceof CfnRoute && resource.routeKey === TICKETS_ROUTE,
    because: 'Its function verifies the token as the authorizer does, and answers what is wrong with it.',
  },
  {
    rules: ['AwsSolutions-APIG4'],
    of: (resource, { auth }) => resource instanceof CfnRoute && resource.routeKey === '$connect' && !auth,
    because: 'The settings have no auth: anybody may connect.',
  },
  {
    rules: ['AwsSolutions-APIG1', 'Serverless-APIGWAccessLogging'],
    of: (resource, { accessLogs }) => resource instanceof CfnStage && !accessLogs,
    because:
      'The settings have no access logs, as in a sandbox: the account may lack the role that they need.',
  },
  {
    rules: ['Serverless-APIGWDefaultThrottling'],
    of: (resource, { throttle }) => resource instanceof CfnStage && !throttle,
    because: 'The settings leave clients the throttle of the account, as in a sandbox.',
  },
  {
    rules: ['AwsSolutions-SMG4'],
    of: (resource) => resource instanceof CfnSecret,
    because: 'Back ends sign with it, so who runs them says when it changes; its two last values are good.',
  },
  {
    rules: ['AwsSolutions-DDB3'],
    of: (resource) => resource instanceof CfnTable && isAnyOf(resource, ['Connections', 'Subscriptions']),
    because: 'Its items are of connections, which end after 2 hours: those of a backup would be of none.',
  },
  {
    rules: ['AwsSolutions-DDB3'],
    of: (resource, { pointInTimeRecovery }) =>
      resource instanceof CfnTable &&
      isAnyOf(resource, ['Topics', 'Messages', 'Access']) &&
      !pointInTimeRecovery,
    because: 'The settings have no backups, as where no history is kept for more than a day.',
  },
  {
    rules: ['Serverless-SQSRedrivePolicy'],
    of: (resource) =>
      resource instanceof CfnQueue &&
      isAnyOf(resource, ['IngestDeadLetters', 'DeliveryDeadLetters', 'ClosingDeadLetters']),
    because: 'It is a dead-letter queue.',
  },
  {
    rules: ['AwsSolutions-SMG4'],
    of: (resource) => resource instanceof CfnSecret,
    because:
      'Back ends sign grants with it: they have to take the next one when it changes, which no schedule knows.',
  },
  {
    rules: ['Serverless-LambdaEventSourceMappingDestination'],
    of: (resource) => resource instanceof CfnEventSourceMapping,
    because: 'It reads a queue, which has a dead-letter queue; destinations are for streams.',
  },
  {
    rules: ['Serverless-LambdaDLQ'],
    of: (resource) => resource instanceof CfnFunction,
    because:
      'API Gateway waits for the answer of routes, queues have dead-letter queues, and the next sweep makes up for one that failed.',
  },
  {
    rules: ['Serverless-LambdaTracing'],
    of: (resource) => resource instanceof CfnFunction,
    because: 'A trace costs more than the invocation that it is of; log lines say what became of a message.',
  },
];

/** So that an app which is checked with cdk-nag hears of Fanwire only what is not known yet. */
export function acknowledge(fanwire: Fanwire, settings: CompleteSettings): void {
  const resources = fanwire.node.findAll().filter(CfnResource.isCfnResource);
  for (const { rules, of, because } of ACKNOWLEDGED) {
    for (const resource of resources.filter((each) => of(each, settings))) {
      for (const id of rules) Validations.of(resource).acknowledge({ id, reason: because });
    }
  }
  for (const { arn, because } of wildcardsOf(fanwire)) {
    // The role of a schedule is none of the construct's own, but one of its stack.
    const stack = Stack.of(fanwire);
    const id = `AwsSolutions-IAM5[Resource::${textOf(stack.resolve(arn))}]`;
    Validations.of(stack).acknowledge({ id, reason: because });
  }
}

const wildcardsOf = (fanwire: Fanwire): readonly { readonly arn: string; readonly because: string }[] => [
  ...['GET', 'POST', ...(fanwire.functions.close ? ['DELETE'] : [])].map((method) => ({
    arn: connectionsArn(method, fanwire),
    because: 'Connections get their ids long after rights are given, and there are many.',
  })),
  {
    arn: `${fanwire.functions.sweep.functionArn}:*`,
    because: 'The CDK lets a schedule invoke every version of its function, of which there is one.',
  },
];

const isAnyOf = (resource: CfnResource, ids: readonly string[]): boolean =>
  ids.includes(resource.node.scope?.node.id ?? '');

/** An ARN as cdk-nag names it: what is known only when the stack is there is in angle brackets. */
function textOf(value: unknown): string {
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': joined } = Object(value);
  if (joined) return joined[1].map(textOf).join(joined[0]);
  return Ref ? `<${Ref}>` : attribute ? `<${attribute.join('.')}>` : String(value);
}
