import { apiGatewayTypes } from './apigateway/resources.ts';
import { executeApi } from './apigateway/rights.ts';
import { cloudWatchTypes } from './cloudwatch/resources.ts';
import { cognitoTypes } from './cognito/resources.ts';
import { dynamodbTypes, tableGrants } from './dynamodb/resources.ts';
import { dynamodb } from './dynamodb/rights.ts';
import { busGrants, eventBridgeTypes } from './eventbridge/resources.ts';
import { events } from './eventbridge/rights.ts';
import type { GuardedService } from './http/rights.ts';
import { iamTypes } from './iam/resources.ts';
import { kmsTypes } from './kms/resources.ts';
import { functionGrants, lambdaTypes } from './lambda/resources.ts';
import type { Grant } from './policy/grant.ts';
import { schedulerTypes } from './scheduler/resources.ts';
import { secretsManagerTypes } from './secretsmanager/resources.ts';
import { secretsManager } from './secretsmanager/rights.ts';
import { queueGrants, sqsTypes } from './sqs/resources.ts';
import { sqs } from './sqs/rights.ts';
import { cdkTypes, type ResourceTypes } from './stack/resource-types.ts';
import type { Stack } from './stack/stack.ts';

/** The types of resources that run here. */
export const resourceTypes: ResourceTypes = {
  ...apiGatewayTypes,
  ...cdkTypes,
  ...cloudWatchTypes,
  ...cognitoTypes,
  ...dynamodbTypes,
  ...eventBridgeTypes,
  ...iamTypes,
  ...kmsTypes,
  ...lambdaTypes,
  ...schedulerTypes,
  ...secretsManagerTypes,
  ...sqsTypes,
};

/** The services that have requests come to the port. */
export const guardedServices: readonly GuardedService[] = [dynamodb, events, executeApi, secretsManager, sqs];

/** What a template allows others to do with its resources. */
export const grantsIn = (stack: Stack): Grant[] =>
  [queueGrants, functionGrants, tableGrants, busGrants].flatMap((grants) => [...grants(stack)]);
