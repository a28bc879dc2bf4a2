import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// The same system as infra/app.ts, but no account's quota keeps its posts back: more than one machine can do.
const app = new App();
new Fanwire(new Stack(app, 'Fanwire'), 'Fanwire', {
  requestsPerSecondMax: 1_000_000,
  namespaces: { chat: { history: { messages: 1_000, seconds: 3_600 } } },
});
