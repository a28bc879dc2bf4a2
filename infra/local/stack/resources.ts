import type { Account } from '../account.ts';
import type { AuthorizerSettings } from '../apigateway/authorizer.ts';
import type { GatewayRoute, GatewaySettings } from '../apigateway/gateway.ts';
import { CONNECT_ROUTE } from '../apigateway/routing.ts';
import type { TableDefinition } from '../dynamodb/tables.ts';
import type { RuleDefinition } from '../eventbridge/buses.ts';
import type { FunctionSettings } from '../lambda/functions.ts';
import type { MappingSettings } from '../lambda/mapping.ts';
import type { ScheduleSettings } from '../scheduler/schedule.ts';
import type { QueueDefinition } from '../sqs/queues.ts';
import type { Resource, Stack } from './stack.ts';

/**
 * From resources of the template to settings of the engines. `readStack` has checked types and properties against
 * what is supported, so their shapes are trusted here. Defaults are CloudFormation's.
 */

/** Lambda's defaults (CloudFormation, AWS::Lambda::Function). */
const TIMEOUT_DEFAULT_SECONDS = 3;
const MEMORY_DEFAULT_MB = 128;
/** API Gateway's default and maximum for a WebSocket integration. */
const INTEGRATION_TIMEOUT_DEFAULT_MS = 29_000;
const BATCH_SIZE_DEFAULT = 10;

/** Where a function logs. */
export const logGroupName = (functionName: string, { LoggingConfig }: Resource['properties']): string =>
  (LoggingConfig as { LogGroup?: string } | undefined)?.LogGroup ?? `/aws/lambda/${functionName}`;

/** `variables` are what Lambda itself would add, the function's credentials for one. */
export function functionSettings(
  stack: Stack,
  variables: (functionArn: string) => Readonly<Record<string, string>>,
): FunctionSettings[] {
  return stack.ofType('AWS::Lambda::Function').map(({ logicalId, properties }) => {
    const { Handler, Timeout, MemorySize, Environment, ReservedConcurrentExecutions } = properties as {
      Handler: string;
      Timeout?: number | string;
      MemorySize?: number | string;
      Environment?: { Variables?: Record<string, string> };
      ReservedConcurrentExecutions?: number | string;
    };
    const arn = stack.arn(logicalId);
    return {
      arn,
      name: stack.physicalName(logicalId),
      logGroupName: logGroupName(stack.physicalName(logicalId), properties),
      codeDirectory: stack.codeDirectory(logicalId),
      handler: Handler,
      timeoutMs: Number(Timeout ?? TIMEOUT_DEFAULT_SECONDS) * 1000,
      memoryMb: Number(MemorySize ?? MEMORY_DEFAULT_MB),
      environment: { ...variables(arn), ...Environment?.Variables },
      ...(ReservedConcurrentExecutions !== undefined && {
        environmentsMax: Number(ReservedConcurrentExecutions),
      }),
    };
  });
}

export const tableDefinitions = (stack: Stack): TableDefinition[] =>
  stack.ofType('AWS::DynamoDB::Table').map(({ logicalId, properties }) => ({
    ...(properties as unknown as TableDefinition),
    TableName: stack.physicalName(logicalId),
  }));

/** Properties of a queue that are no attributes of the SQS API, or that make no difference here. */
const NO_QUEUE_ATTRIBUTES = ['QueueName', 'Tags', 'RedriveAllowPolicy'];

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

export const busNames = (stack: Stack): string[] =>
  stack.ofType('AWS::Events::EventBus').map(({ logicalId }) => stack.physicalName(logicalId));

const ruleDefinition = (stack: Stack, { logicalId, properties }: Resource): RuleDefinition => {
  const { EventBusName, EventPattern, State, Targets } = properties as {
    EventBusName?: string;
    EventPattern?: unknown;
    State?: RuleDefinition['state'];
    Targets?: RuleDefinition['targets'];
  };
  return {
    name: stack.physicalName(logicalId),
    arn: stack.arn(logicalId),
    busName: EventBusName ?? 'default',
    eventPattern: EventPattern,
    state: State ?? 'ENABLED',
    targets: Targets ?? [],
  };
};

const rulesWith = (stack: Stack, property: 'EventPattern' | 'ScheduleExpression'): Resource[] =>
  stack.ofType('AWS::Events::Rule').filter(({ properties }) => properties[property] !== undefined);

export const ruleDefinitions = (stack: Stack): RuleDefinition[] =>
  rulesWith(stack, 'EventPattern').map((rule) => ruleDefinition(stack, rule));

/** Schedules of EventBridge Scheduler, and the older kind: rules with a schedule in place of a pattern. */
export function scheduleSettings(stack: Stack): ScheduleSettings[] {
  const schedules = stack.ofType('AWS::Scheduler::Schedule').map(({ logicalId, properties }) => {
    const { ScheduleExpression, State, Target } = properties as {
      ScheduleExpression: string;
      State?: ScheduleSettings['state'];
      Target: { Arn: string; Input?: string; RoleArn?: string };
    };
    return toSchedule(stack, logicalId, ScheduleExpression, State, Target);
  });
  const rules = rulesWith(stack, 'ScheduleExpression').flatMap((rule) =>
    ruleDefinition(stack, rule).targets.map((target) =>
      toSchedule(
        stack,
        rule.logicalId,
        rule.properties.ScheduleExpression as string,
        ruleDefinition(stack, rule).state,
        target,
      ),
    ),
  );
  return [...schedules, ...rules];
}

const toSchedule = (
  stack: Stack,
  logicalId: string,
  expression: string,
  state: ScheduleSettings['state'] = 'ENABLED',
  { Arn, Input, RoleArn }: { readonly Arn: string; readonly Input?: string; readonly RoleArn?: string },
): ScheduleSettings => ({
  name: stack.physicalName(logicalId),
  arn: stack.arn(logicalId),
  expression,
  state,
  target: {
    arn: Arn,
    ...(Input !== undefined && { input: Input }),
    ...(RoleArn !== undefined && { roleArn: RoleArn }),
  },
});

export const mappingSettings = (stack: Stack): MappingSettings[] =>
  stack
    .ofType('AWS::Lambda::EventSourceMapping')
    .filter(({ properties }) => String(properties.Enabled ?? true) === 'true')
    .map(({ properties }) => {
      const { EventSourceArn, FunctionName, BatchSize, MaximumBatchingWindowInSeconds } = properties as {
        EventSourceArn: string;
        FunctionName: string;
        BatchSize?: number | string;
        MaximumBatchingWindowInSeconds?: number | string;
      };
      const { FunctionResponseTypes = [], ScalingConfig } = properties as {
        FunctionResponseTypes?: readonly string[];
        ScalingConfig?: { MaximumConcurrency?: number | string };
      };
      const maximum = ScalingConfig?.MaximumConcurrency;
      return {
        queueArn: EventSourceArn,
        functionArn: functionArn(stack, FunctionName),
        batchSize: Number(BatchSize ?? BATCH_SIZE_DEFAULT),
        batchingWindowSeconds: Number(MaximumBatchingWindowInSeconds ?? 0),
        reportBatchItemFailures: FunctionResponseTypes.includes('ReportBatchItemFailures'),
        ...(maximum !== undefined && { maximumConcurrency: Number(maximum) }),
      };
    });

/** Mappings and permissions name their function by name or by ARN. */
export const functionArn = (stack: Stack, nameOrArn: string): string => {
  const named = stack
    .ofType('AWS::Lambda::Function')
    .find(({ logicalId }) => stack.physicalName(logicalId) === nameOrArn);
  return named ? stack.arn(named.logicalId) : nameOrArn;
};

/** One gateway a stage. */
export const gatewaySettings = (stack: Stack, { region, accountId }: Account): GatewaySettings[] =>
  stack.ofType('AWS::ApiGatewayV2::Stage').map(({ logicalId, properties }) => {
    const { ApiId, StageVariables } = properties as {
      ApiId: string;
      StageVariables?: Record<string, string>;
    };
    const api = stack
      .ofType('AWS::ApiGatewayV2::Api')
      .find((each) => stack.physicalName(each.logicalId) === ApiId);
    const authorizer = authorizerSettings(stack, ApiId);
    return {
      apiId: ApiId,
      stage: stack.physicalName(logicalId),
      region,
      accountId,
      routeSelectionExpression: String(api?.properties.RouteSelectionExpression ?? '$request.body.action'),
      ...(StageVariables && { stageVariables: StageVariables }),
      routes: new Map(ofApi(stack, 'Route', ApiId).map((route) => routeEntry(stack, ApiId, route))),
      ...(authorizer && { authorizer }),
    };
  });

const ofApi = (
  stack: Stack,
  kind: 'Route' | 'Integration' | 'RouteResponse' | 'Authorizer',
  apiId: string,
): Resource[] =>
  stack.ofType(`AWS::ApiGatewayV2::${kind}`).filter(({ properties }) => properties.ApiId === apiId);

/** An authorizer counts once a route names it, which only `$connect` may (DG, "REQUEST authorizers"). */
function authorizerSettings(stack: Stack, apiId: string): AuthorizerSettings | undefined {
  const routes = ofApi(stack, 'Route', apiId).filter(
    ({ properties }) => properties.AuthorizationType === 'CUSTOM',
  );
  const wrong = routes.find(({ properties }) => properties.RouteKey !== CONNECT_ROUTE);
  if (wrong) {
    throw new Error(
      `${wrong.logicalId}: expected an authorizer on ${CONNECT_ROUTE} only, got one on ${wrong.properties.RouteKey}`,
    );
  }
  const [route] = routes;
  if (!route) return undefined;
  const authorizer = ofApi(stack, 'Authorizer', apiId).find(
    ({ logicalId }) => stack.physicalName(logicalId) === route.properties.AuthorizerId,
  );
  if (!authorizer) {
    throw new Error(
      `${route.logicalId}: expected an authorizer of the same API, got ${route.properties.AuthorizerId}`,
    );
  }
  const { AuthorizerUri, IdentitySource = [] } = authorizer.properties as {
    AuthorizerUri: string;
    IdentitySource?: readonly string[];
  };
  return {
    functionArn: invokedFunction(authorizer.logicalId, AuthorizerUri),
    identitySources: IdentitySource,
  };
}

/** The ARN in `arn:aws:apigateway:…:lambda:path/…/functions/{ARN}/invocations`. */
function invokedFunction(logicalId: string, uri: unknown): string {
  const [, functionArn] = /:lambda:path\/[^/]+\/functions\/([^/]+)\/invocations$/.exec(String(uri)) ?? [];
  if (functionArn) return functionArn;
  throw new Error(`${logicalId}: expected the invocation of a Lambda function, got ${uri}`);
}

function routeEntry(
  stack: Stack,
  apiId: string,
  { logicalId, properties }: Resource,
): [string, GatewayRoute] {
  const { RouteKey, Target, RouteResponseSelectionExpression } = properties as {
    RouteKey: string;
    Target?: string;
    RouteResponseSelectionExpression?: string;
  };
  const integration = ofApi(stack, 'Integration', apiId).find(
    (each) => `integrations/${stack.physicalName(each.logicalId)}` === Target,
  );
  const functionArn = invokedFunction(logicalId, integration?.properties.IntegrationUri);
  const routeId = stack.physicalName(logicalId);
  const hasResponse = ofApi(stack, 'RouteResponse', apiId).some(
    ({ properties }) => properties.RouteId === routeId,
  );
  const timeoutMs = Number(integration?.properties.TimeoutInMillis ?? INTEGRATION_TIMEOUT_DEFAULT_MS);
  // A reply needs both: the expression that selects a response, and the response (DG, "route response").
  return [
    RouteKey,
    { functionArn, replies: hasResponse && RouteResponseSelectionExpression === '$default', timeoutMs },
  ];
}
