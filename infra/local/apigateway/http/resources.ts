import type { Account } from '../../account.ts';
import type { Resource, Stack } from '../../stack/stack.ts';
import { apiHost, httpApisIn, integrationOf, invokedFunction, ofApi } from '../resources.ts';
import type { HttpApiSettings, HttpRoute } from './api.ts';
import type { CorsSettings } from './cors.ts';
import { compileRoutes } from './routing.ts';

/** API Gateway's default and maximum for an integration of an HTTP API. */
const INTEGRATION_TIMEOUT_DEFAULT_MS = 30_000;
const PAYLOAD_FORMAT = '2.0';

/** The HTTP APIs of a stack, each with all its stages. Throws for what an engine of WebSocket APIs could do, and this cannot. */
export const httpApiSettings = (stack: Stack, { region, accountId }: Account): HttpApiSettings[] =>
  httpApisIn(stack).map(({ logicalId, properties }) => {
    const apiId = stack.physicalName(logicalId);
    const { CorsConfiguration } = properties as { CorsConfiguration?: CorsConfiguration };
    const routes = ofApi(stack, 'Route', apiId).map((route) => routeOf(stack, apiId, route));
    return {
      ...{ apiId, region, accountId, routes },
      domainName: apiHost({ name: apiId, region }),
      ...(CorsConfiguration && { cors: corsOf(CorsConfiguration) }),
      stages: new Map(
        ofApi(stack, 'Stage', apiId).map((stage) => [
          stack.physicalName(stage.logicalId),
          (stage.properties.StageVariables ?? {}) as Record<string, string>,
        ]),
      ),
    };
  });

interface CorsConfiguration {
  readonly AllowCredentials?: boolean | string;
  readonly AllowHeaders?: readonly string[];
  readonly AllowMethods?: readonly string[];
  readonly AllowOrigins?: readonly string[];
  readonly ExposeHeaders?: readonly string[];
  readonly MaxAge?: number | string;
}

const corsOf = ({ AllowCredentials, MaxAge, ...lists }: CorsConfiguration): CorsSettings => ({
  allowOrigins: lists.AllowOrigins ?? [],
  allowMethods: lists.AllowMethods ?? [],
  allowHeaders: lists.AllowHeaders ?? [],
  exposeHeaders: lists.ExposeHeaders ?? [],
  allowCredentials: String(AllowCredentials) === 'true',
  ...(MaxAge !== undefined && { maxAgeSeconds: Number(MaxAge) }),
});

function routeOf(stack: Stack, apiId: string, { logicalId, properties }: Resource): HttpRoute {
  const {
    RouteKey: key,
    Target,
    AuthorizationType = 'NONE',
  } = properties as {
    RouteKey: string;
    Target?: string;
    AuthorizationType?: string;
  };
  if (AuthorizationType !== 'NONE') {
    throw new Error(
      `${logicalId}: expected no authorizer, for those of HTTP APIs do not run locally, got one`,
    );
  }
  const integration = integrationOf(stack, apiId, Target);
  const { IntegrationUri, PayloadFormatVersion, TimeoutInMillis } = integration?.properties ?? {};
  // Without it CloudFormation takes another.
  if (integration && PayloadFormatVersion !== PAYLOAD_FORMAT) {
    throw new Error(
      `${integration.logicalId}: expected PayloadFormatVersion ${PAYLOAD_FORMAT}, got ${PayloadFormatVersion}`,
    );
  }
  const route: HttpRoute = {
    key,
    functionArn: functionOf(logicalId, IntegrationUri),
    timeoutMs: Number(TimeoutInMillis ?? INTEGRATION_TIMEOUT_DEFAULT_MS),
  };
  compileRoutes([route]); // says what is wrong with its key
  return route;
}

/** HTTP APIs name a function by its ARN, too. */
const functionOf = (logicalId: string, uri: unknown): string =>
  String(uri).startsWith('arn:aws:lambda:') ? String(uri) : invokedFunction(logicalId, uri);
