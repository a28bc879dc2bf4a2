import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

const app = new App({ analyticsReporting: false, outdir: process.env.CDK_OUTDIR ?? 'cdk.out' });
new Fanwire(new Stack(app, 'Namespaces'), 'Fanwire', {
  auth: 'none',
  namespaces: {
    chat: { history: { messages: 100_000, seconds: 3_600 } },
    short: { history: { messages: 5, seconds: 3_600 } },
    brief: { history: { messages: 100, seconds: 1 } },
    state: { history: { messages: 10, seconds: 3_600 }, lastValue: true },
    news: { history: { messages: 10, seconds: 60 }, recovery: false, wildcards: false, clientPublish: false },
    small: { dataBytesMax: 10 },
  },
});
app.synth();
