import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// AWS is called by the official clients as they come; two subscribers are enough for the delivery worker to have its part.
const app = new App();
new Fanwire(new Stack(app, 'Fanwire'), 'Fanwire', {
  auth: 'none',
  transport: 'sdk',
  inlineSubscribersMax: 1,
  namespaces: { chat: { history: { messages: 100, seconds: 3_600 } } },
});
