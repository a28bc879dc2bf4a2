import { App, Stack } from 'aws-cdk-lib';
import type { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import { Fanwire } from '../../infra/fanwire.ts';

// Fanwire with queues that soon hand out again what a worker died of. The construct itself would not allow it: AWS
// wants six times the worker's timeout.
const app = new App();
const fanwire = new Fanwire(new Stack(app, 'Fanwire'), 'Fanwire');
for (const id of ['Ingest', 'Delivery']) {
  (fanwire.node.findChild(id).node.defaultChild as CfnQueue).visibilityTimeout = 2;
}
