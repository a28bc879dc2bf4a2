import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// Somebody's own CDK app, with settings under which failures show soon: few attempts, short posts, early splits.
const app = new App();
new Fanwire(new Stack(app, 'Fanwire'), 'Fanwire', {
  auth: 'none',
  deliveryAttemptsMax: 2,
  postTimeoutMs: 200,
  inlineSubscribersMax: 5,
  subscriptionsPerConnectionMax: 3,
  namespaces: { state: { history: { messages: 100, seconds: 3_600 }, lastValue: true } },
});
