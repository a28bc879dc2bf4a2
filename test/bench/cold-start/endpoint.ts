import { createServer } from 'node:http';

/** Answers every AWS call of a Lambda's first invocation as if all went well. Tells its parent the port. */
const ID = 'L0SM9cOFvHcCIhw=';
const ANSWERS: Readonly<Record<string, unknown>> = {
  GetItem: { Item: { connectionId: { S: ID } } },
  // A log's head and a connection in one: each repository reads its own attributes.
  UpdateItem: {
    Attributes: {
      epoch: { S: 'e' },
      offset: { N: '0' },
      createdAt: { N: '0' },
      allocatedAt: { N: '0' },
      subscriptions: { M: { 'a/b': { N: '0' } } },
    },
  },
  PutEvents: { FailedEntryCount: 0, Entries: [{ EventId: 'e' }] },
  BatchGetItem: { Responses: {}, UnprocessedKeys: {} },
  BatchWriteItem: { UnprocessedItems: {} },
  Query: { Count: 1, Items: [{ connectionId: { S: ID } }] },
  Scan: { Count: 0, Items: [] },
};

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    const operation = String(request.headers['x-amz-target'] ?? '').replace(/^.*\./, '');
    if (operation === '') return response.end(); // a post to a connection
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    response.end(JSON.stringify(ANSWERS[operation] ?? {}));
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(typeof address === 'object' ? address?.port : undefined);
});
process.once('disconnect', () => process.exit());
