import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// Everybody is asked who they are, and may be nobody and do everything with topics.
const app = new App({ analyticsReporting: false, outdir: process.env.CDK_OUTDIR ?? 'cdk.out' });
new Fanwire(new Stack(app, 'Anybody'), 'Fanwire', {
  auth: { anonymous: { '*': ['subscribe', 'publish', 'history'] } },
});
app.synth();
