import { App, Stack } from 'aws-cdk-lib';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue } from 'aws-cdk-lib/aws-sqs';

const stack = new Stack(new App(), 'Mixed');
new Topic(stack, 'News');
new Queue(stack, 'Ordered', { fifo: true });
