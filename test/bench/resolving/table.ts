import { createServer } from 'node:http';

/**
 * A DynamoDB that answers every Query with the next of its pages, written beforehand: what is measured is the client.
 * Tells its parent the port.
 */
const SUBSCRIBERS = 10_000;
/** A row is a topic, an id, an expiry and their names, some 100 bytes: so many make the 1 MB of a page. */
const PAGE_ITEMS = 10_000;

const idOf = (index: number): string =>
  `${Buffer.from(String(index).padStart(11, 'c')).toString('base64url')}=`;

function itemOf(index: number, isProjected: boolean): object {
  const connectionId = { S: idOf(index) };
  if (isProjected) return { connectionId };
  return { topicShard: { S: 'chat/lobby#0' }, connectionId, expiresAt: { N: '1800000000' } };
}

/** By whether only the ids are asked for, then by page. */
const pages = [false, true].map((isProjected) =>
  Array.from({ length: SUBSCRIBERS / PAGE_ITEMS }, (_, page) => {
    const Items = Array.from({ length: PAGE_ITEMS }, (_, index) =>
      itemOf(page * PAGE_ITEMS + index, isProjected),
    );
    const isLast = (page + 1) * PAGE_ITEMS >= SUBSCRIBERS;
    const LastEvaluatedKey = { topicShard: { S: 'chat/lobby#0' }, connectionId: { S: String(page) } };
    return Buffer.from(
      JSON.stringify({
        Items,
        Count: PAGE_ITEMS,
        ScannedCount: PAGE_ITEMS,
        ...(!isLast && { LastEvaluatedKey }),
      }),
    );
  }),
);

const server = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk) => (text += chunk));
  request.on('end', () => {
    const { ProjectionExpression, ExclusiveStartKey } = JSON.parse(text);
    const number = ExclusiveStartKey ? Number(ExclusiveStartKey.connectionId.S) + 1 : 0;
    const page = pages[ProjectionExpression ? 1 : 0]?.[number];
    response.writeHead(200, {
      'content-type': 'application/x-amz-json-1.0',
      'content-length': page?.length ?? 0,
    });
    response.end(page);
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(typeof address === 'object' ? address?.port : undefined);
});
process.once('disconnect', () => process.exit());
