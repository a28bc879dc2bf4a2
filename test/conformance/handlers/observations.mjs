import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';

/** Looked at on another day, nobody knows what they were. */
const KEPT_SECONDS = 24 * 60 * 60;
const LOOK_AGAIN_MS = 25;

const dynamodb = new DynamoDBClient();
const TableName = process.env.OBSERVATIONS_TABLE;

/**
 * Writes down what a handler sees, under every subject that a test may look for. Writing it down again with the same
 * id adds to it.
 */
export async function observe(subjects, { id, startedAt, ...seen }) {
  const expiresAt = { N: String(Math.ceil(startedAt / 1000) + KEPT_SECONDS) };
  const what = { S: JSON.stringify({ startedAt, ...seen }) };
  const puts = subjects.map((subject) =>
    dynamodb.send(
      new PutItemCommand({
        TableName,
        Item: { subject: { S: subject }, id: { S: `${startedAt}-${id}` }, what, expiresAt },
      }),
    ),
  );
  await Promise.all(puts);
}

/** Waits until the test lets it pass; the function's timeout is the bound. */
export async function pass(gate) {
  const Key = { subject: { S: `gate/${gate}` }, id: { S: 'open' } };
  for (;;) {
    const { Item } = await dynamodb.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
    if (Item) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
