import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Code, Function as Lambda, Runtime } from 'aws-cdk-lib/aws-lambda';

// Somebody's API with an authorizer and two stages, without Fanwire.
const stack = new Stack(new App(), 'Guarded');
const lambda = (id: string, handler: string) =>
  new Lambda(stack, id, {
    runtime: Runtime.NODEJS_24_X,
    handler: `index.${handler}`,
    code: Code.fromAsset(join(import.meta.dirname, 'guarded')),
  });
const webSocketApi = new WebSocketApi(stack, 'Api', {
  connectRouteOptions: {
    integration: new WebSocketLambdaIntegration('Connect', lambda('Connect', 'connect')),
    authorizer: new WebSocketLambdaAuthorizer('Guard', lambda('Guard', 'authorize'), {
      identitySource: ['route.request.querystring.token'],
    }),
  },
  defaultRouteOptions: {
    integration: new WebSocketLambdaIntegration('Whoami', lambda('Whoami', 'whoami')),
    returnResponse: true,
  },
});
for (const stageName of ['prod', 'beta']) {
  new WebSocketStage(stack, stageName, { webSocketApi, stageName, autoDeploy: true });
}
