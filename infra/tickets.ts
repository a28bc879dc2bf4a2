import { type CfnResource, Duration } from 'aws-cdk-lib';
import { CorsHttpMethod, HttpApi, HttpMethod, HttpStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import {
  accessLogSettings,
  deploymentName,
  IP_ADDRESS_TYPES,
  makeInTurn,
  partsOf,
  stageThrottle,
} from './api.ts';
import { takeAllowances, takeTokens } from './routes.ts';
import { type Access, allow } from './service.ts';
import type { CompleteSettings } from './settings.ts';
import type { Parts } from './variables.ts';

const PATH = '/tickets';
export const TICKETS_ROUTE = `POST ${PATH}`;
/** CloudFormation, AWS::ApiGatewayV2::Api. */
const NAME_LENGTH_MAX = 128;
const NAME_SUFFIX = '-tickets';
/** Browsers ask no later than that. */
const PREFLIGHT_AGE = Duration.hours(2);

/** What is known of a request, but nothing that a client has written. */
const LOGGED = [
  ...['requestId', 'routeKey', 'requestTimeEpoch', 'status', 'responseLength', 'responseLatency'],
  ...['identity.sourceIp', 'error.responseType', 'integration.status', 'integrationLatency'],
];

/** What the Lambda that hands out tickets has. */
export const ticketsOf = (parts: Pick<Parts, 'grantsSecret' | 'tables' | 'settings'>): Access => ({
  reads: ['AUTH', 'ISSUERS', 'CALLBACK_URL', 'GRANTS_SECRET', 'TRANSPORT', 'ACCESS_TABLE', 'LIMITS'],
  rights: [
    ...takeTokens(parts),
    allow(['dynamodb:PutItem'], parts.tables.access.tableArn),
    ...takeAllowances(parts),
  ],
});

/**
 * The HTTP API with the one route that hands out tickets, and its URL. It has the name that AWS gives: a domain of one's own
 * leads to a WebSocket API or to HTTP APIs, not to both (developer guide, "Custom domain names for WebSocket APIs").
 */
export function createTicketsApi(
  scope: Construct,
  issue: LambdaFunction,
  settings: CompleteSettings,
): { readonly api: HttpApi; readonly url: string } {
  const { auth, ipAddressType } = settings;
  const allowOrigins = auth?.tickets ? [...auth.tickets.allowOrigins] : [];
  const api = new HttpApi(scope, 'TicketsApi', {
    apiName: deploymentName(scope, NAME_LENGTH_MAX - NAME_SUFFIX.length) + NAME_SUFFIX,
    createDefaultStage: false,
    ipAddressType: IP_ADDRESS_TYPES[ipAddressType],
    ...(allowOrigins.length > 0 && {
      corsPreflight: {
        allowOrigins,
        allowMethods: [CorsHttpMethod.POST],
        allowHeaders: ['authorization', 'content-type'],
        maxAge: PREFLIGHT_AGE,
      },
    }),
  });
  api.addRoutes({
    path: PATH,
    methods: [HttpMethod.POST],
    integration: new HttpLambdaIntegration('TicketsIntegration', issue),
  });
  const stage = new HttpStage(scope, 'TicketsStage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    ...stageThrottle(settings),
    ...accessLogSettings(scope, 'TicketsAccessLog', LOGGED, settings),
  });
  makeInTurn([...partsOf(api), stage.node.defaultChild as CfnResource]);
  return { api, url: api.apiEndpoint + PATH };
}
