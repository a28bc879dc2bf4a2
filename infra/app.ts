import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Fanwire } from './fanwire.ts';

// Everything that matters is in the construct: put it into your own app in the same way.
const app = new App({ analyticsReporting: false, outdir: process.env.CDK_OUTDIR ?? 'cdk.out' });
const stack = new Stack(app, 'Fanwire', { description: 'Fanwire: real-time push over WebSockets' });
const { stage, eventBus } = new Fanwire(stack, 'Fanwire', {
  // A demo: who has no token may chat, and that is all that anybody may. Without this line nobody may connect.
  auth: { anonymous: { 'chat/*': ['subscribe', 'publish', 'history'] } },
  // What is said in a chat is kept for an hour; all other topics are volatile.
  namespaces: { chat: { history: { messages: 1_000, seconds: 3_600 } } },
});
new CfnOutput(stack, 'WebSocketUrl', { value: stage.url });
new CfnOutput(stack, 'CallbackUrl', { value: stage.callbackUrl });
new CfnOutput(stack, 'EventBusName', { value: eventBus.eventBusName });
app.synth();
