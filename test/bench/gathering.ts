import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// The open app, but that its fan-out gathers messages for a second.
const app = new App({ analyticsReporting: false, outdir: process.env.CDK_OUTDIR ?? 'cdk.out' });
new Fanwire(new Stack(app, 'Fanwire'), 'Fanwire', {
  auth: 'none',
  namespaces: { chat: { history: { messages: 1_000, seconds: 3_600 } } },
  ingestWindowSeconds: 1,
});
app.synth();
