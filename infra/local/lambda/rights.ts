export const INVOKE = 'lambda:InvokeFunction';
/** What Lambda itself does with the rights of a function. */
export const LOG = ['logs:CreateLogStream', 'logs:PutLogEvents'];
/** What its poller does with the rights of the function (Lambda guide, "Using Lambda with Amazon SQS"). */
export const RECEIVE = ['sqs:GetQueueAttributes', 'sqs:ReceiveMessage'];
export const DELETE = 'sqs:DeleteMessage';
