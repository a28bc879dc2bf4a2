/** What engines do in the name of somebody. */
export const INVOKE = 'lambda:InvokeFunction';
export const SEND = 'sqs:SendMessage';
/** Of Lambda's poller, with the rights of the function (Lambda guide, "Using Lambda with Amazon SQS"). */
export const RECEIVE = ['sqs:GetQueueAttributes', 'sqs:ReceiveMessage'];
export const DELETE = 'sqs:DeleteMessage';
/** Of Lambda itself, with the rights of the function. */
export const LOG = ['logs:CreateLogStream', 'logs:PutLogEvents'];
