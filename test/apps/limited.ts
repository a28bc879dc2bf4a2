import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// With limits that one client soon reaches.
const app = new App({ analyticsReporting: false, outdir: process.env.CDK_OUTDIR ?? 'cdk.out' });
new Fanwire(new Stack(app, 'Fanwire'), 'Fanwire', {
  namespaces: { log: { history: { messages: 100, seconds: 600 } } },
  auth: {
    grants: true,
    rights: { '*': ['subscribe', 'publish', 'history'], '/users/*': ['send'] },
    anonymous: { '*': ['subscribe', 'publish', 'history'], '/users/*': ['send'] },
  },
  limits: {
    connections: 60,
    connectionsPerUser: 22,
    commandsPerSecond: { rate: 5, burst: 40 },
    publishesPerSecond: { rate: 10, burst: 200 },
    historyBytesPerSecond: { rate: 1_024, burst: 4_096 },
    topicsPerHour: 20,
  },
});
app.synth();
