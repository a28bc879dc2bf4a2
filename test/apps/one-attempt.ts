import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// The same system as infra/app.ts, so that it finds the same state, but no post is tried twice.
const app = new App();
new Fanwire(new Stack(app, 'Fanwire'), 'Fanwire', { deliveryAttemptsMax: 1 });
