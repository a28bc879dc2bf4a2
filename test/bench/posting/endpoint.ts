import { type AddressInfo, createServer as createTcp, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { selfSigned } from '../../support/certificate.ts';
import { BODY_BYTES } from './message.ts';

/**
 * The endpoint, in a process of its own: `node endpoint.ts tcp|tls <shortest delay> <longest delay>`. It answers fixed
 * bytes and knows that every body has one length, because a Node HTTP server would be slower than the clients.
 */
const [, , kind, shortest, longest] = process.argv;
const [delayMsMin, delayMsMax] = [Number(shortest), Number(longest)];

const ANSWER = Buffer.from(
  'HTTP/1.1 200 OK\r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n' +
    'Content-Length: 0\r\nConnection: keep-alive\r\nx-amzn-RequestId: 8a6a1c5e-6c4b-4a1d-9c0c-0f0e3d5a7b11\r\n' +
    'x-amz-apigw-id: Qx3TzHkPoAMEVbg=\r\n\r\n',
);

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  let pending = Buffer.alloc(0);
  const answer = (): void => void (socket.writable && socket.write(ANSWER));
  socket.on('data', (chunk) => {
    pending = pending.length > 0 ? Buffer.concat([pending, chunk]) : chunk;
    const end = pending.indexOf('\r\n\r\n');
    if (end < 0 || pending.length < end + 4 + BODY_BYTES) return;
    pending = pending.subarray(end + 4 + BODY_BYTES);
    if (delayMsMax === 0) answer();
    else setTimeout(answer, delayMsMin + Math.random() * (delayMsMax - delayMsMin));
  });
  socket.on('error', () => socket.destroy());
}

const certificate = selfSigned();
const server = kind === 'tls' ? createTls(certificate, serve) : createTcp(serve);
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo; // it listens on TCP
  process.send?.({ port, ca: certificate.cert });
});
process.on('disconnect', () => process.exit());
