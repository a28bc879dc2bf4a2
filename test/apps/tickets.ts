import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// Pages of one origin exchange their tokens for tickets.
const app = new App({ analyticsReporting: false, outdir: process.env.CDK_OUTDIR ?? 'cdk.out' });
const stack = new Stack(app, 'Fanwire');
const { ticketsUrl = '' } = new Fanwire(stack, 'Fanwire', {
  auth: {
    grants: true,
    tickets: { allowOrigins: ['http://app.localhost:3000'] },
    rights: { 'chat/*': ['subscribe', 'publish'] },
  },
  limits: { commandsPerSecond: { rate: 1, burst: 60 } },
});
new CfnOutput(stack, 'TicketsUrl', { value: ticketsUrl });
app.synth();
