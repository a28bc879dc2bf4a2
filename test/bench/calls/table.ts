import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { selfSigned } from '../../support/certificate.ts';

/** A DynamoDB that answers every call with the same: what is measured is the client. Tells its parent where it is. */
const certificate = selfSigned();
const answer = JSON.stringify({ Attributes: { freeAt: { N: '1800000000000' } } });

const server = createServer(certificate, (request, response) => {
  request.resume().on('end', () => {
    response.writeHead(200, {
      'content-type': 'application/x-amz-json-1.0',
      'content-length': answer.length,
      'x-amzn-requestid': 'L0SM9cOFvHcCIhw',
    });
    response.end(answer);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo; // it listens on TCP
  process.send?.({ endpoint: `https://127.0.0.1:${port}`, ca: certificate.cert } satisfies Table);
});
process.on('disconnect', () => process.exit());

export interface Table {
  readonly endpoint: string;
  readonly ca: string;
}
