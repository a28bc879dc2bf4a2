import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// Every client is asked for its next connection a second after it has opened one.
const app = new App({ analyticsReporting: false, outdir: process.env.CDK_OUTDIR ?? 'cdk.out' });
new Fanwire(new Stack(app, 'ShortLived'), 'Fanwire', {
  auth: 'none',
  namespaces: { chat: { history: { messages: 10_000, seconds: 3_600 } } },
  rolloverAfterSeconds: 1,
});
app.synth();
