import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Code, Function as Lambda, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Fanwire } from '../../infra/fanwire.ts';

// Somebody's shop: a rule and a function of their own on the bus of Fanwire.
const stack = new Stack(new App(), 'Shop');
const push = new Fanwire(stack, 'Push', { stageName: 'live', auth: 'none' });
const { eventBus } = push;
const announce = new Lambda(stack, 'Announce', {
  runtime: Runtime.NODEJS_24_X,
  handler: 'index.handler',
  code: Code.fromAsset(join(import.meta.dirname, 'announce')),
  environment: { BUS: eventBus.eventBusName },
});
push.grantPublish(announce);
new Rule(stack, 'Orders', {
  eventBus,
  eventPattern: { source: ['shop'], detail: { total: [{ numeric: ['>', 100] }] } },
  targets: [new LambdaFunction(announce)],
});
