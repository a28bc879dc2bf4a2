import { type CfnResource, Names } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  CfnIntegration,
  CfnRoute,
  CfnRouteResponse,
  type CfnStage,
  DomainName,
  IpAddressType,
  LogGroupLogDestination,
  type StageOptions,
  WebSocketApi,
  WebSocketStage,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct, IConstruct } from 'constructs';
import { REMOVAL_POLICIES } from './removal.ts';
import type { CompleteSettings } from './settings.ts';

interface Api {
  readonly api: WebSocketApi;
  readonly stage: WebSocketStage;
  readonly domainName?: DomainName;
}

/** CloudFormation, AWS::ApiGatewayV2::Api. */
const NAME_LENGTH_MAX = 128;

/** The API without its routes, and where it is to be found. */
export function createApi(scope: Construct, settings: CompleteSettings): Api {
  const ipAddressType = IP_ADDRESS_TYPES[settings.ipAddressType];
  const api = new WebSocketApi(scope, 'Api', {
    apiName: deploymentName(scope, NAME_LENGTH_MAX),
    routeSelectionExpression: '$request.body.action',
    ipAddressType,
  });
  const { domain } = settings;
  const domainName =
    domain &&
    new DomainName(scope, 'Domain', {
      domainName: domain.name,
      certificate: domain.certificate,
      ipAddressType,
    });
  const stage = new WebSocketStage(scope, 'Stage', {
    webSocketApi: api,
    stageName: settings.stageName,
    autoDeploy: true,
    ...stageThrottle(settings),
    ...(domainName && { domainMapping: { domainName } }),
    ...accessLogSettings(scope, 'AccessLog', LOGGED, settings),
  });
  return { api, stage, ...(domainName && { domainName }) };
}

export const stageThrottle = ({ throttle }: CompleteSettings): Pick<StageOptions, 'throttle'> =>
  throttle ? { throttle: { rateLimit: throttle.ratePerSecond, burstLimit: throttle.burst } } : {};

export const IP_ADDRESS_TYPES = { ipv4: IpAddressType.IPV4, dualstack: IpAddressType.DUAL_STACK };

/**
 * An account may have several deployments of one app, so what is unique in an account is named after the stack: the CDK's
 * own names are the same in all of them.
 */
export const deploymentName = (scope: Construct, maxLength: number): string =>
  Names.uniqueResourceName(scope, { maxLength, separator: '-', allowedSpecialCharacters: '-' });

/** What there is of a frame or a handshake, but nothing that a client has written: tokens come that way. */
const LOGGED = [
  ...['requestId', 'connectionId', 'messageId', 'eventType', 'routeKey', 'requestTimeEpoch', 'status'],
  ...['identity.sourceIp', 'error.responseType', 'authorizer.status', 'integration.status'],
  'integrationLatency',
];

/** A stage's log, with these variables of API Gateway's. */
export function accessLogSettings(
  scope: Construct,
  id: string,
  logged: readonly string[],
  { accessLogs, removal }: CompleteSettings,
): Pick<StageOptions, 'accessLogSettings'> {
  if (!accessLogs) return {};
  const logGroup = new LogGroup(scope, id, {
    retention: accessLogs.retentionDays,
    removalPolicy: REMOVAL_POLICIES[removal],
  });
  const format = Object.fromEntries(logged.map((name) => [name, `$context.${name}`]));
  return {
    accessLogSettings: {
      destination: new LogGroupLogDestination(logGroup),
      format: AccessLogFormat.custom(JSON.stringify(format)),
    },
  };
}

/** What has to wait until the routes are there. */
export function finishApi({ api, stage }: Api, { throttle }: CompleteSettings): void {
  const cfnStage = stage.node.defaultChild as CfnStage;
  const parts = partsOf(api);
  const throttles = throttle ? throttle.routes : undefined;
  if (throttles) {
    const keys = parts.flatMap((part) => (part instanceof CfnRoute ? part.routeKey : []));
    cfnStage.routeSettings = routeSettings(throttles, keys);
  }
  makeInTurn([...parts, cfnStage]);
}

type RouteThrottles = NonNullable<Exclude<CompleteSettings['throttle'], false>['routes']>;

/** As CloudFormation has it: the CDK hands it on as it is. */
function routeSettings(throttles: RouteThrottles, keys: readonly string[]): Record<string, unknown> {
  const unknown = Object.keys(throttles).filter((key) => !keys.includes(key));
  if (unknown.length > 0) {
    throw new Error(
      `Bad Fanwire settings: expected throttle.routes to name routes (${keys.join(', ')}), got ${unknown.join(', ')}`,
    );
  }
  return Object.fromEntries(
    Object.entries(throttles).map(([key, { ratePerSecond, burst }]) => [
      key,
      { ThrottlingRateLimit: ratePerSecond, ThrottlingBurstLimit: burst },
    ]),
  );
}

export const partsOf = (api: IConstruct): Part[] => api.node.findAll().filter(isPart);

type Part = CfnIntegration | CfnRoute | CfnRouteResponse;
const isPart = (construct: IConstruct): construct is Part =>
  construct instanceof CfnIntegration ||
  construct instanceof CfnRoute ||
  construct instanceof CfnRouteResponse;

/**
 * API Gateway now and then refuses changes of one API at the same time ("Unable to complete operation due to concurrent
 * modification"). The settings of a stage may name only routes that exist, and a stage that comes last is deployed once.
 */
export function makeInTurn(turns: readonly CfnResource[]): void {
  for (const [index, turn] of turns.entries()) {
    const before = turns[index - 1];
    if (before) turn.addResourceDependency(before);
  }
}
