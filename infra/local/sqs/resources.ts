import type { Grant } from '../policy/grant.ts';
import type { PolicyDocument } from '../policy/policy.ts';
import { arnOf, type Facts, named, nameOf } from '../stack/naming.ts';
import type { ResourceTypes } from '../stack/resource-types.ts';
import { encryption, honoured, ignored, matching, only, tags } from '../stack/rules.ts';
import type { Stack } from '../stack/stack.ts';
import type { QueueDefinition } from './queues.ts';

const queueUrl = ({ endpoint, accountId, name }: Facts): string => `${endpoint}/${accountId}/${name}`;

/** What CloudFormation has of SQS. */
export const sqsTypes: ResourceTypes = {
  'AWS::SQS::Queue': {
    rules: {
      ...tags,
      QueueName: matching(
        /^[\w-]{1,80}$/,
        '1 to 80 letters, digits and "_-"',
        'FIFO queues do not run locally.',
      ),
      FifoQueue: only(false, 'FIFO queues do not run locally.'),
      DelaySeconds: honoured,
      MaximumMessageSize: honoured,
      MessageRetentionPeriod: honoured,
      ReceiveMessageWaitTimeSeconds: honoured,
      RedrivePolicy: honoured,
      VisibilityTimeout: honoured,
      RedriveAllowPolicy: ignored('Any queue may have any other for its dead letters here.'),
      KmsMasterKeyId: encryption,
      KmsDataKeyReusePeriodSeconds: encryption,
      SqsManagedSseEnabled: encryption,
    },
    naming: {
      ...named('QueueName', 80),
      arn: ({ name, region, accountId }) => `arn:aws:sqs:${region}:${accountId}:${name}`,
      ref: queueUrl,
      attributes: { Arn: arnOf, QueueName: nameOf, QueueUrl: queueUrl },
    },
  },
  'AWS::SQS::QueuePolicy': {
    rules: { PolicyDocument: honoured, Queues: honoured },
  },
};

/** Properties of a queue that are no attributes of the SQS API, or that make no difference here. */
const NO_QUEUE_ATTRIBUTES = ['QueueName', 'Tags', 'RedriveAllowPolicy'];

/** The queues of a stack. */
export const queueDefinitions = (stack: Stack): QueueDefinition[] =>
  stack.ofType('AWS::SQS::Queue').map(({ logicalId, properties }) => {
    const attributes = Object.entries(properties).filter(([key]) => !NO_QUEUE_ATTRIBUTES.includes(key));
    return {
      name: stack.physicalName(logicalId),
      arn: stack.arn(logicalId),
      url: stack.ref(logicalId),
      attributes: Object.fromEntries(attributes),
    };
  });

/** What queue policies say of each of their queues. */
export function* queueGrants(stack: Stack): Generator<Grant> {
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
