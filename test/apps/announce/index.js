// The SDK comes with Lambda's runtime; here Node finds the one that is installed.
const { EventBridgeClient, PutEventsCommand } = require('@aws-sdk/client-eventbridge');

exports.handler = async ({ detail }) => {
  const Detail = JSON.stringify({ topic: 'orders/big', data: { total: detail.total } });
  const entry = { EventBusName: process.env.BUS, Source: 'shop', DetailType: 'fanwire.publish', Detail };
  await new EventBridgeClient().send(new PutEventsCommand({ Entries: [entry] }));
};
