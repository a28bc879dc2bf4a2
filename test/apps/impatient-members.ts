import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// Members come with grants, guests may do everything, and failures show soon: few attempts, short posts, early splits.
const app = new App();
new Fanwire(new Stack(app, 'Fanwire'), 'Fanwire', {
  deliveryAttemptsMax: 2,
  postTimeoutMs: 200,
  inlineSubscribersMax: 5,
  subscriptionsPerConnectionMax: 3,
  namespaces: { state: { history: { messages: 100, seconds: 3_600 }, lastValue: true } },
  auth: {
    grants: true,
    rights: { '*': ['subscribe', 'publish'], 'state/*': ['history'], '/users/*': ['send'] },
    anonymous: { '*': ['subscribe', 'publish', 'history'], '/users/*': ['send'] },
  },
});
