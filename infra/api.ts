import type { CfnResource } from 'aws-cdk-lib';
import { CfnIntegration, CfnRoute, CfnRouteResponse, type WebSocketApi } from 'aws-cdk-lib/aws-apigatewayv2';

import type { IConstruct } from 'constructs';

const isPart = (construct: IConstruct): construct is CfnIntegration | CfnRoute | CfnRouteResponse =>
  construct instanceof CfnIntegration ||
  construct instanceof CfnRoute ||
  construct instanceof CfnRouteResponse;

/**
 * Has the routes made one after the other, for API Gateway now and then refuses changes of one API at the same time
 * ("Unable to complete operation due to concurrent modification"), and the stage after them: its settings may name only
 * routes that exist, and so it is deployed once.
 */
export function makeInTurn(api: WebSocketApi, stage: CfnResource): void {
  const turns: CfnResource[] = [...api.node.findAll().filter(isPart), stage];
  for (const [index, turn] of turns.entries()) {
    const before = turns[index - 1];
    if (before) turn.addResourceDependency(before);
  }
}
