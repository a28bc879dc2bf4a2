import { join } from 'node:path';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Code, Function as Lambda, RecursiveLoop, Runtime } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Queue } from 'aws-cdk-lib/aws-sqs';

// A function that sends messages to its own queue, and may.
const stack = new Stack(new App(), 'Loop');
const dead = new Queue(stack, 'Dead');
const done = new Queue(stack, 'Done');
const numbers = new Queue(stack, 'Numbers', {
  visibilityTimeout: Duration.seconds(5),
  deadLetterQueue: { queue: dead, maxReceiveCount: 1 },
});
const count = new Lambda(stack, 'Count', {
  runtime: Runtime.NODEJS_24_X,
  handler: 'index.handler',
  code: Code.fromAsset(join(import.meta.dirname, 'loop')),
  timeout: Duration.seconds(5),
  environment: { NUMBERS: numbers.queueUrl, DONE: done.queueUrl },
  recursiveLoop: RecursiveLoop.ALLOW,
});
for (const queue of [numbers, done]) queue.grantSendMessages(count);
count.addEventSource(new SqsEventSource(numbers));
