import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Fanwire } from '../../infra/fanwire.ts';

// With all that production may have.
const app = new App({ analyticsReporting: false, outdir: process.env.CDK_OUTDIR ?? 'cdk.out' });
const stack = new Stack(app, 'Production');
const certificateArn = 'arn:aws:acm:eu-west-1:000000000000:certificate/1';
const { domainName } = new Fanwire(stack, 'Fanwire', {
  auth: 'none',
  preset: 'production',
  accountConcurrency: 1_000,
  reservedConcurrency: { routes: 5 },
  namespaces: { chat: { history: { messages: 100, seconds: 7 * 86_400 } } },
  ipAddressType: 'dualstack',
  encryptionKey: new Key(stack, 'Key', { alias: 'push', enableKeyRotation: true }),
  domain: {
    name: 'push.example.com',
    certificate: Certificate.fromCertificateArn(stack, 'Certificate', certificateArn),
  },
});
new CfnOutput(stack, 'LeadsTo', { value: domainName?.regionalDomainName ?? '' });
app.synth();
