import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

const history = { messages: 100, seconds: 3_600 };
const app = new App({ analyticsReporting: false, outdir: process.env.CDK_OUTDIR ?? 'cdk.out' });
new Fanwire(new Stack(app, 'Hundred'), 'Fanwire', {
  auth: 'none',
  namespaces: Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`namespace-${n + 1}`, { history }])),
});
app.synth();
