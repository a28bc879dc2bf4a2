import type { Account } from '../account.ts';
import { arnOf, type Facts, identified, named, nameOf } from '../stack/naming.ts';
import type { ResourceTypes } from '../stack/resource-types.ts';
import {
  everyMatching,
  honoured,
  ignored,
  label,
  matching,
  monitoring,
  only,
  tags,
  unsupported,
} from '../stack/rules.ts';
import type { Resource, Stack } from '../stack/stack.ts';
import type { AuthorizerSettings } from './authorizer.ts';
import type { GatewayRoute, GatewaySettings } from './gateway.ts';
import { pathOfApi } from './http/place.ts';
import { CONNECT_ROUTE } from './routing.ts';

const routeSettings = ignored('Only the throttles of the account are here, and there is no CloudWatch.');
/** AWS_PROXY hands frames through as they are, so the mapping of requests and responses has no say. */
const proxied = ignored('It has no effect on AWS_PROXY integrations.');

/** The host at which AWS serves an API. */
export const apiHost = ({ name, region }: Pick<Facts, 'name' | 'region'>): string =>
  `${name}.execute-api.${region}.amazonaws.com`;

const HTTP = 'HTTP';
const isHttp = ({ properties }: Pick<Facts, 'properties'>): boolean => properties.ProtocolType === HTTP;

/** A name of one's own leads nowhere here. */
const unnamed = ignored('The API is at the local endpoint, whatever its names.');

/** What CloudFormation has of API Gateway's WebSocket and HTTP APIs. */
export const apiGatewayTypes: ResourceTypes = {
  'AWS::ApiGatewayV2::Api': {
    rules: {
      ...tags,
      Name: label,
      Description: label,
      Version: label,
      ProtocolType: matching(/^(WEBSOCKET|HTTP)$/, '"WEBSOCKET" or "HTTP"'),
      RouteSelectionExpression: honoured,
      'CorsConfiguration.AllowCredentials': honoured,
      'CorsConfiguration.AllowHeaders': honoured,
      'CorsConfiguration.AllowMethods': honoured,
      'CorsConfiguration.AllowOrigins': honoured,
      'CorsConfiguration.ExposeHeaders': honoured,
      'CorsConfiguration.MaxAge': honoured,
      DisableSchemaValidation: proxied,
      DisableExecuteApiEndpoint: only(false, 'There are no custom domains here.'),
      IpAddressType: ignored('The local endpoint listens where it is told to.'),
    },
    naming: {
      ...identified(10),
      attributes: {
        ApiId: nameOf,
        ApiEndpoint: (api) => `${isHttp(api) ? 'https' : 'wss'}://${apiHost(api)}`,
      },
      host: apiHost,
      // Stages of WebSocket APIs have paths of their own.
      localPath: (api) => (isHttp(api) ? pathOfApi(api.name) : ''),
    },
  },
  'AWS::ApiGatewayV2::ApiMapping': {
    rules: { ApiId: unnamed, ApiMappingKey: unnamed, DomainName: unnamed, Stage: unnamed },
    naming: { ...identified(6), attributes: { ApiMappingId: nameOf } },
  },
  'AWS::ApiGatewayV2::Authorizer': {
    rules: {
      ApiId: honoured,
      Name: label,
      AuthorizerType: only('REQUEST', 'WebSocket APIs have no other authorizers of their own.'),
      AuthorizerUri: matching(/:lambda:path\/.*\/invocations$/, 'the invocation of a Lambda function'),
      AuthorizerCredentialsArn: unsupported('Let API Gateway in with an AWS::Lambda::Permission.'),
      IdentitySource: everyMatching(
        /^route\.request\.(header|querystring)\../,
        'a list of route.request.header.… and route.request.querystring.…',
      ),
      IdentityValidationExpression: ignored('API Gateway has no use for it either.'),
      AuthorizerResultTtlInSeconds: unsupported('API Gateway caches no results for WebSocket APIs.'),
      EnableSimpleResponses: only(false, 'Authorizers of WebSocket APIs answer with policies.'),
    },
    naming: { ...identified(6), attributes: { AuthorizerId: nameOf } },
  },
  'AWS::ApiGatewayV2::DomainName': {
    rules: {
      ...tags,
      DomainName: unnamed,
      DomainNameConfigurations: unnamed,
      MutualTlsAuthentication: unsupported('There is no TLS here, so no certificates of clients.'),
    },
    naming: {
      ...named('DomainName', 253),
      arn: ({ name, region }) => `arn:aws:apigateway:${region}::/domainnames/${name}`,
      attributes: {
        DomainNameArn: arnOf,
        RegionalDomainName: (domain) => `d-${domain.name}.execute-api.${domain.region}.amazonaws.com`,
        RegionalHostedZoneId: () => 'Z00000000000000000000',
      },
    },
  },
  'AWS::ApiGatewayV2::Integration': {
    rules: {
      ApiId: honoured,
      Description: label,
      IntegrationType: only('AWS_PROXY', 'Routes can only lead to Lambda functions here.'),
      IntegrationUri: matching(
        /:lambda:path\/.*\/invocations$|^arn:aws:lambda:/,
        'the invocation of a Lambda function',
      ),
      IntegrationMethod: proxied,
      PayloadFormatVersion: honoured,
      PassthroughBehavior: proxied,
      ContentHandlingStrategy: only('CONVERT_TO_TEXT'),
      ConnectionType: only('INTERNET'),
      TimeoutInMillis: honoured,
    },
    naming: { ...identified(7), attributes: { IntegrationId: nameOf } },
  },
  'AWS::ApiGatewayV2::Route': {
    rules: {
      ApiId: honoured,
      RouteKey: honoured,
      Target: honoured,
      OperationName: label,
      RouteResponseSelectionExpression: only('$default'),
      ApiKeyRequired: only(false, 'There are no API keys here.'),
      AuthorizationType: matching(
        /^(NONE|CUSTOM)$/,
        '"NONE" or "CUSTOM"',
        'Handshakes are not checked for signatures here; use a Lambda authorizer.',
      ),
      AuthorizerId: honoured,
    },
    naming: { ...identified(7), attributes: { RouteId: nameOf } },
  },
  'AWS::ApiGatewayV2::RouteResponse': {
    rules: {
      ApiId: honoured,
      RouteId: honoured,
      RouteResponseKey: only('$default'),
    },
    naming: { ...identified(6), attributes: { RouteResponseId: nameOf } },
  },
  'AWS::ApiGatewayV2::Stage': {
    rules: {
      ...tags,
      ApiId: honoured,
      StageName: honoured,
      StageVariables: honoured,
      Description: label,
      AutoDeploy: ignored('A change counts from the next start on.'),
      DefaultRouteSettings: routeSettings,
      RouteSettings: routeSettings,
      AccessLogSettings: monitoring,
    },
    naming: named('StageName', 128),
  },
};

/** API Gateway's default and maximum for a WebSocket integration. */
const INTEGRATION_TIMEOUT_DEFAULT_MS = 29_000;

/** One gateway a stage of a WebSocket API. */
export const gatewaySettings = (stack: Stack, { region, accountId }: Account): GatewaySettings[] =>
  stack.ofType('AWS::ApiGatewayV2::Stage').flatMap(({ logicalId, properties }) => {
    const { ApiId, StageVariables } = properties as {
      ApiId: string;
      StageVariables?: Record<string, string>;
    };
    const api = stack
      .ofType('AWS::ApiGatewayV2::Api')
      .find((each) => stack.physicalName(each.logicalId) === ApiId);
    if (api && isHttp(api)) return [];
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

export const httpApisIn = (stack: Stack): Resource[] => stack.ofType('AWS::ApiGatewayV2::Api').filter(isHttp);

export const ofApi = (
  stack: Stack,
  kind: 'Route' | 'Integration' | 'RouteResponse' | 'Authorizer' | 'Stage',
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

/** What a route's target leads to. */
export const integrationOf = (
  stack: Stack,
  apiId: string,
  target: string | undefined,
): Resource | undefined =>
  ofApi(stack, 'Integration', apiId).find(
    ({ logicalId }) => `integrations/${stack.physicalName(logicalId)}` === target,
  );

/** The ARN in `arn:aws:apigateway:…:lambda:path/…/functions/{ARN}/invocations`. */
export function invokedFunction(logicalId: string, uri: unknown): string {
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
  const integration = integrationOf(stack, apiId, Target);
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
