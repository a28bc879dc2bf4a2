import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { Bodies } from '../../../infra/local/http/bodies.ts';
import { until } from '../../support/until.ts';

const BODY_BYTES_MAX = 90;
const LIMITS = { ordinaryBytesMax: 0, heldBytesMax: 100 };

/** A server that answers with what it read, once the test lets it. */
async function start(limits = LIMITS) {
  const bodies = new Bodies(limits);
  const release = Promise.withResolvers<void>();
  const server = createServer((request, response) =>
    bodies.read(request, response, BODY_BYTES_MAX, async (body) => {
      if (typeof body !== 'string') await release.promise;
      response.end(typeof body === 'string' ? body : `read ${body}`);
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const post = (head: string, body: string): Socket => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n${body}`);
    return socket;
  };
  return { bodies, post, release: release.resolve };
}

const answerTo = async (socket: Socket): Promise<string> => {
  const [head] = await once(socket, 'data');
  return String(head).split('\r\n\r\n', 2)[1] ?? '';
};

it('reads a body in any pieces, and holds it until it is answered', async () => {
  const { bodies, post, release } = await start();
  const socket = post('Content-Length: 6', 'ab');
  await until(() => bodies.heldBytes === 2);
  socket.write('cdef');
  await until(() => bodies.heldBytes === 6);
  release();
  expect(await answerTo(socket)).toBe('read abcdef');
  await until(() => bodies.heldBytes === 0);
});

it('refuses what says that it is too large before it comes', async () => {
  const { bodies, post } = await start();
  expect(await answerTo(post(`Content-Length: ${BODY_BYTES_MAX + 1}`, ''))).toBe('too large');
  expect(bodies.heldBytes).toBe(0);
});

it('refuses what turns out to be too large, and holds nothing of it', async () => {
  const { bodies, post } = await start();
  const socket = post('Transfer-Encoding: chunked', `50\r\n${'x'.repeat(80)}\r\n`);
  await until(() => bodies.heldBytes === 80);
  socket.write(`50\r\n${'x'.repeat(80)}\r\n`);
  expect(await answerTo(socket)).toBe('too large');
  expect(bodies.heldBytes).toBe(0);
});

it('refuses what would be too much at once, and takes it when there is room again', async () => {
  const { bodies, post, release } = await start();
  const first = post('Content-Length: 90', 'x'.repeat(80));
  await until(() => bodies.heldBytes === 80);
  expect(await answerTo(post('Content-Length: 30', 'y'.repeat(30)))).toBe('no room');
  expect(bodies.heldBytes).toBe(80);
  first.destroy();
  await until(() => bodies.heldBytes === 0);
  release();
  expect(await answerTo(post('Content-Length: 30', 'y'.repeat(30)))).toBe(`read ${'y'.repeat(30)}`);
});

it('forgets what a client has sent that leaves in the middle', async () => {
  const { bodies, post } = await start();
  const sockets = Array.from({ length: 5 }, () => post('Content-Length: 20', 'x'.repeat(10)));
  await until(() => bodies.heldBytes === 50);
  for (const socket of sockets) socket.resetAndDestroy();
  await until(() => bodies.heldBytes === 0);
});

it('takes bodies of ordinary size however much of large ones is held', async () => {
  const { bodies, post, release } = await start({ ordinaryBytesMax: 20, heldBytesMax: 40 });
  post('Content-Length: 90', 'x'.repeat(60));
  await until(() => bodies.heldBytes === 40);
  release();
  expect(await answerTo(post('Content-Length: 20', 'y'.repeat(20)))).toBe(`read ${'y'.repeat(20)}`);
  expect(await answerTo(post('Content-Length: 21', 'y'.repeat(21)))).toBe('no room');
});
