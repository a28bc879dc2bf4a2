import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// The demo, but that nobody is asked who they are: for tests that are about something else.
const app = new App({ analyticsReporting: false, outdir: process.env.CDK_OUTDIR ?? 'cdk.out' });
new Fanwire(new Stack(app, 'Fanwire'), 'Fanwire', {
  auth: 'none',
  namespaces: { chat: { history: { messages: 1_000, seconds: 3_600 } } },
});
app.synth();
