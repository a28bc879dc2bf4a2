import { documentOf, type Grant } from '../policy/grant.ts';
import type { PolicyDocument } from '../policy/policy.ts';
import { arnOf, named } from '../stack/naming.ts';
import type { ResourceTypes } from '../stack/resource-types.ts';
import {
  capacity,
  encryption,
  honoured,
  matching,
  monitoring,
  noSafetyNet,
  type Rules,
  tags,
  unsupported,
} from '../stack/rules.ts';
import type { Stack } from '../stack/stack.ts';
import type { TableDefinition } from './tables.ts';

const indexRules = (index: string): Rules => ({
  [`${index}.IndexName`]: honoured,
  [`${index}.KeySchema`]: honoured,
  [`${index}.Projection`]: honoured,
  [`${index}.ProvisionedThroughput`]: capacity,
  [`${index}.OnDemandThroughput`]: capacity,
  [`${index}.WarmThroughput`]: capacity,
  [`${index}.ContributorInsightsSpecification`]: monitoring,
});

/** What CloudFormation has of DynamoDB. */
export const dynamodbTypes: ResourceTypes = {
  'AWS::DynamoDB::GlobalTable': { hint: 'Use the construct Table in place of TableV2.' },
  'AWS::DynamoDB::Table': {
    rules: {
      ...tags,
      TableName: matching(/^[\w.-]{3,255}$/, '3 to 255 letters, digits and "_.-"'),
      AttributeDefinitions: honoured,
      KeySchema: honoured,
      TimeToLiveSpecification: honoured,
      ...indexRules('GlobalSecondaryIndexes'),
      ...indexRules('LocalSecondaryIndexes'),
      BillingMode: capacity,
      ProvisionedThroughput: capacity,
      OnDemandThroughput: capacity,
      WarmThroughput: capacity,
      TableClass: capacity,
      SSESpecification: encryption,
      PointInTimeRecoverySpecification: noSafetyNet,
      DeletionProtectionEnabled: noSafetyNet,
      ContributorInsightsSpecification: monitoring,
      'ResourcePolicy.PolicyDocument': honoured,
      StreamSpecification: unsupported('DynamoDB Streams do not run locally.'),
    },
    naming: {
      ...named('TableName', 255),
      arn: ({ name, region, accountId }) => `arn:aws:dynamodb:${region}:${accountId}:table/${name}`,
      attributes: { Arn: arnOf },
    },
  },
};

/** The tables of a stack. */
export const tableDefinitions = (stack: Stack): TableDefinition[] =>
  stack.ofType('AWS::DynamoDB::Table').map(({ logicalId, properties }) => ({
    ...(properties as unknown as TableDefinition),
    TableName: stack.physicalName(logicalId),
  }));

/** The policies that tables have as a property of their own. */
export function* tableGrants(stack: Stack): Generator<Grant> {
  for (const resource of stack.ofType('AWS::DynamoDB::Table')) {
    const { ResourcePolicy } = resource.properties as {
      ResourcePolicy?: { PolicyDocument?: PolicyDocument };
    };
    const given = ResourcePolicy?.PolicyDocument;
    if (!given) continue;
    yield { arn: stack.arn(resource.logicalId), resource, property: 'Policy', document: documentOf(given) };
  }
}
