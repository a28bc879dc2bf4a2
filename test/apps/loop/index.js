const { SQSClient, SendMessageCommand } = require('@aws-sdk/client-sqs');

const sqs = new SQSClient();

/** Counts to 40 by sending itself the next number. */
exports.handler = async ({ Records }) => {
  for (const { body } of Records) {
    const next = Number(body) + 1;
    const QueueUrl = next > 40 ? process.env.DONE : process.env.NUMBERS;
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: String(next) }));
  }
};
