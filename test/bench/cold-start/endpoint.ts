import { createServer } from 'node:http';
import { issuerAt } from './issuer.ts';

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
  GetSecretValue: { SecretString: process.env.SECRET },
};

/** It is an issuer, too. */
function answerTo(path: string, port: number): unknown {
  if (path === '/.well-known/openid-configuration')
    return { issuer: issuerAt(port), jwks_uri: `${issuerAt(port)}/keys` };
  if (path === '/keys') return JSON.parse(process.env.JWKS ?? '{}');
}

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    const operation = String(request.headers['x-amz-target'] ?? '').replace(/^.*\./, '');
    // Without an answer it is a post to a connection.
    if (operation === '')
      return response.end(JSON.stringify(answerTo(request.url ?? '', request.socket.localPort ?? 0)));
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    response.end(JSON.stringify(ANSWERS[operation] ?? {}));
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(typeof address === 'object' ? address?.port : undefined);
});
process.once('disconnect', () => process.exit());
