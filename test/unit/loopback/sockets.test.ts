import { EventEmitter, on, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  Socket,
  type Server as TcpServer,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { MessageChannel, Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import type { LoopbackSettings } from '../../../infra/local/http/loopback/dial.ts';
import { plugIn, type Server } from '../../../infra/local/http/loopback/plug.ts';
import { readWhole, WholeResponse } from '../../../infra/local/http/loopback/whole.ts';
import type { Order, Outcome, Tasks, Way } from './client.ts';

const CLIENT = new URL('./client.ts', import.meta.url);

/** The other thread. */
class Client {
  readonly #worker: Worker;
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  #ordered = 0;

  constructor(loopback: LoopbackSettings) {
    this.#worker = new Worker(CLIENT, {
      workerData: loopback,
      transferList: [loopback.messages],
      execArgv: [],
    });
    this.#worker.on('message', ({ id, result, error }: Outcome) => {
      if (error === undefined) this.#pending.get(id)?.resolve(result);
      else this.#pending.get(id)?.reject(error);
    });
    this.#worker.on('error', (error) => {
      for (const { reject } of this.#pending.values()) reject(error);
    });
  }

  perform<K extends keyof Tasks>(
    task: K,
    ...[argument]: Parameters<Tasks[K]>
  ): Promise<Awaited<ReturnType<Tasks[K]>>> {
    const order: Order = { id: ++this.#ordered, task, argument };
    const pending = Promise.withResolvers<unknown>();
    this.#pending.set(order.id, pending);
    this.#worker.postMessage(order);
    return pending.promise as Promise<Awaited<ReturnType<Tasks[K]>>>;
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }
}

interface ServerOptions {
  /** Nothing unless it is given. */
  readonly answer?: Server['answer'];
  /** For what becomes of a socket; unless it is given, an HTTP server has it. */
  readonly accept?: Server['accept'];
  readonly handle?: RequestListener;
}

/** The server of this thread, and another thread that is its client. */
async function start({ answer = () => false, accept, handle }: ServerOptions) {
  const http = createServer(handle);
  const streams: Duplex[] = [];
  const { port1, port2 } = new MessageChannel();
  plugIn(port1, {
    answer,
    accept(stream) {
      streams.push(stream);
      if (accept) accept(stream);
      else http.emit('connection', stream);
    },
  });
  let fromKernel = 0;
  http.on('connection', (stream) => {
    if (stream instanceof Socket) fromKernel++;
  });
  const port = await listen(http);
  const client = new Client({ messages: port2, port });
  onTestFinished(async () => {
    await client.terminate();
    http.closeAllConnections();
    expect(fromKernel).toBe(0);
  });
  return { client, http, streams, port };
}

async function listen(server: TcpServer): Promise<number> {
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

async function closed(stream: Duplex | undefined): Promise<void> {
  if (!stream) throw new Error('expected a stream, got none');
  if (!stream.closed) await once(stream, 'close');
}

const get = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'host: a', ...headers, '', ''].join('\r\n');

/** Answers with the path, and what else came. */
const echo: RequestListener = async (request, response) => {
  response.end(Buffer.concat([Buffer.from(`${request.url} `), await buffer(request)]));
};

/** Answers the paths that begin with it, and tells which they were. */
function answering(prefix: string): { answer: Server['answer']; answered: string[] } {
  const answered: string[] = [];
  const answer: Server['answer'] = (bytes, reply) => {
    const request = readWhole(bytes);
    if (!request?.url?.startsWith(prefix)) return false;
    answered.push(request.url);
    new WholeResponse(reply).end(`whole ${request.url} ${request.body}`);
    return true;
  };
  return { answer, answered };
}

interface Held {
  readonly request: string;
  readonly reply: (text: string) => void;
}

/** Holds its answers back: the test gives them. */
class Holding {
  /** What it was asked, in that order. */
  readonly asked: string[] = [];
  readonly #held = new EventEmitter();
  readonly #waiting = on(this.#held, 'held');

  readonly answer: Server['answer'] = (bytes, reply) => {
    const request = bytes.toString();
    this.asked.push(request);
    return this.#held.emit('held', { request, reply: (text: string) => reply(Buffer.from(text)) });
  };

  async next(): Promise<Held> {
    const { value } = await this.#waiting.next();
    return value?.[0];
  }
}

describe('HTTP between two threads', () => {
  it('gives every request its own answer, and keeps its sockets for the next ones', async () => {
    const { client, streams } = await start({ handle: echo });
    const paths = Array.from({ length: 100 }, (_, n) => `/${n}`);
    for (const round of ['first', 'second']) {
      const answers = await client.perform(
        'request',
        paths.map((path) => ({ path: path + round })),
      );
      expect(answers.map(({ body }) => String(Buffer.from(body)))).toEqual(
        paths.map((path) => `${path}${round} `),
      );
      expect(answers.every(({ reused }) => reused === (round === 'second'))).toBe(true);
      expect(streams.length).toBe(100);
    }
  });

  it('carries large bodies both ways', async () => {
    const { client } = await start({ handle: echo });
    const body = Buffer.alloc(5 * 1024 * 1024, 'not a power of two');
    const [answer] = await client.perform('request', [{ path: '/large', body }]);
    expect(Buffer.from(answer?.body ?? []).equals(Buffer.concat([Buffer.from('/large '), body]))).toBe(true);
  });

  it('brings a small request whole, its body with its head', async () => {
    const { answer, answered } = answering('/');
    const { client, streams } = await start({ answer });
    const [response] = await client.perform('request', [{ path: '/a', body: Buffer.from('body') }]);
    expect(String(Buffer.from(response?.body ?? []))).toBe('whole /a body');
    expect(answered).toEqual(['/a']);
    expect(streams).toEqual([]);
  });

  it('answers whole requests until there is one that needs a stream, which has all that follow', async () => {
    const { answer, answered } = answering('/whole');
    const { client, streams } = await start({ answer, handle: echo });
    const bodies: string[] = [];
    for (const path of ['/whole/1', '/whole/2', '/other', '/whole/3']) {
      const [response] = await client.perform('request', [{ path }]);
      bodies.push(String(Buffer.from(response?.body ?? [])));
    }
    expect(bodies).toEqual(['whole /whole/1 ', 'whole /whole/2 ', '/other ', '/whole/3 ']);
    expect(answered).toEqual(['/whole/1', '/whole/2']);
    expect(streams.length).toBe(1);
  });

  it('answers requests that were written at once in their order', async () => {
    let answerFirst = () => {};
    const { client } = await start({
      handle(request, response) {
        if (request.url === '/1') {
          answerFirst = () => response.end('one');
        } else {
          response.end('two.');
          answerFirst();
        }
      },
    });
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: [get('/1') + get('/2')] });
    expect(await client.perform('hear', { socket, until: 'two.' })).toMatch(/^HTTP.*one.*HTTP.*two\.$/s);
  });

  it('lets requests wait for the answer to the one before', async () => {
    const holding = new Holding();
    const { client, streams } = await start(holding);
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: ['1', '2', '3'] });
    const another = await client.perform('dial', {});
    await client.perform('write', { socket: another, texts: ['4'] });
    const first = await holding.next();
    const fourth = await holding.next();
    expect(holding.asked).toEqual(['1', '4']);
    first.reply('one ');
    fourth.reply('four.');
    (await holding.next()).reply('two ');
    (await holding.next()).reply('three.');
    expect(await client.perform('hear', { socket: another, until: '.' })).toBe('four.');
    expect(await client.perform('hear', { socket, until: '.' })).toBe('one two three.');
    expect(holding.asked).toEqual(['1', '4', '2', '3']);
    expect(streams).toEqual([]);
  });

  it('gives a stream what has waited, from the first request on that needs one', async () => {
    const holding = new Holding();
    const { client } = await start({
      answer: (bytes, reply) => bytes.includes('/held') && holding.answer(bytes, reply),
      handle: (request, response) => void response.end(`${request.url}.`),
    });
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: [get('/held/1'), get('/2'), get('/held/3')] });
    (await holding.next()).reply('one ');
    const heard = await client.perform('hear', { socket, until: '/held/3.' });
    expect(heard).toMatch(/^one HTTP.*\/2\.HTTP.*\/held\/3\.$/s);
    expect(holding.asked).toEqual([get('/held/1')]);
  });
});

it('is answered at once, however many requests wait', async () => {
  const REQUESTS = 20_000;
  const holding = new Holding();
  let answered = 0;
  const answer: Server['answer'] = (bytes, reply) => {
    if (String(bytes) === 'held') return holding.answer(bytes, reply);
    reply(Buffer.from(++answered === REQUESTS ? '.' : '-'));
    return true;
  };
  const { client } = await start({ answer });
  const socket = await client.perform('dial', {});
  await client.perform('write', {
    socket,
    texts: ['held', ...Array.from({ length: REQUESTS }, () => 'next')],
  });
  (await holding.next()).reply('-');
  expect((await client.perform('hear', { socket, until: '.' })).length).toBe(1 + REQUESTS);
});

describe('a socket’s end', () => {
  it('comes after a stream that begins when the client has nothing more to say', async () => {
    const holding = new Holding();
    const { client, streams } = await start({
      answer: (bytes, reply) => bytes.includes('/held') && holding.answer(bytes, reply),
      handle: (request, response) => void response.end(`${request.url}.`),
    });
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: [get('/held'), get('/2')] });
    await client.perform('end', socket);
    (await holding.next()).reply('one ');
    const { heard } = await client.perform('witness', { socket, event: 'close' });
    expect(Buffer.from(heard).toString()).toMatch(/^one HTTP.*\/2\.$/s);
    await closed(streams[0]);
  });

  it('comes before what still waits, if nobody is there any more', async () => {
    const holding = new Holding();
    const { client, streams } = await start({
      answer: (bytes, reply) => bytes.includes('/held') && holding.answer(bytes, reply),
      handle: echo,
    });
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: [get('/held'), get('/2')] });
    const held = await holding.next();
    await client.perform('destroy', socket);
    // What it sends comes after the end of the other.
    await client.perform('request', [{ path: '/other' }]);
    held.reply('one ');
    expect(streams.length).toBe(1);
  });

  it('is seen by who does not read', async () => {
    const { client } = await start({ accept: (stream) => stream.once('data', () => stream.end()) });
    const socket = await client.perform('dial', { unread: true });
    await client.perform('write', { socket, texts: ['a'] });
    await client.perform('witness', { socket, event: 'close' });
  });

  it('lets the server hear all that was written before', async () => {
    const heard = Promise.withResolvers<string>();
    const { client } = await start({ accept: (stream) => text(stream).then(heard.resolve, heard.reject) });
    const socket = await client.perform('dial', {});
    await client.perform('writeAndDestroy', { socket, text: 'the last' });
    expect(await heard.promise).toBe('the last');
  });

  it('comes when the server closes the connection, after all that it sent', async () => {
    const { client, streams } = await start({ handle: echo });
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: [get('/a', 'connection: close')] });
    const { heard, ended } = await client.perform('witness', { socket, event: 'close' });
    expect(Buffer.from(heard).toString()).toMatch(/^HTTP.*connection: close.*\/a $/is);
    expect(ended).toBe(true);
    await closed(streams[0]);
  });

  it('comes when the server lets go of it at once', async () => {
    const { client } = await start({ accept: (stream) => stream.once('data', () => stream.destroy()) });
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: ['a'] });
    expect((await client.perform('witness', { socket, event: 'close' })).ended).toBe(true);
  });

  it('comes when a request gets no answer, before what waits behind it', async () => {
    const holding = new Holding();
    const { client, streams } = await start({
      answer: (bytes, reply) => {
        if (bytes.includes('/none')) reply(undefined);
        return bytes.includes('/none') || holding.answer(bytes, reply);
      },
    });
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: [get('/1'), get('/none'), get('/3')] });
    (await holding.next()).reply('one ');
    const { heard, ended } = await client.perform('witness', { socket, event: 'close' });
    expect([Buffer.from(heard).toString(), ended]).toEqual(['one ', true]);
    expect(holding.asked).toEqual([get('/1')]);
    expect(streams).toEqual([]);
  });

  it('takes it out of the agent that kept it for the next request', async () => {
    const { client, http } = await start({ handle: echo });
    await client.perform('request', [{ path: '/1' }]);
    expect(await client.perform('idleSockets')).toBe(1);
    http.closeAllConnections();
    await client.perform('idleSocketsClosed');
    const [response] = await client.perform('request', [{ path: '/2' }]);
    expect(response).toMatchObject({ status: 200, reused: false });
  });

  it('comes when the client has nothing more to say and there was no stream', async () => {
    const { client } = await start({ answer: answering('/').answer });
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: [get('/a')] });
    await client.perform('hear', { socket, until: 'whole /a ' });
    await client.perform('end', socket);
    expect((await client.perform('witness', { socket, event: 'close' })).ended).toBe(true);
  });

  it('comes after the answers that the client still waits for', async () => {
    const holding = new Holding();
    const { client } = await start(holding);
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: ['1', '2'] });
    await client.perform('end', socket);
    const first = await holding.next();
    first.reply('one ');
    (await holding.next()).reply('two');
    const { heard } = await client.perform('witness', { socket, event: 'close' });
    expect(Buffer.from(heard).toString()).toBe('one two');
  });

  it('is seen by the server’s stream, which may still say something', async () => {
    const { client } = await start({
      async accept(stream) {
        stream.end(`got ${await text(stream)}`);
      },
    });
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: ['a', 'b'] });
    await client.perform('end', socket);
    const { heard } = await client.perform('witness', { socket, event: 'close' });
    expect(Buffer.from(heard).toString()).toBe('got ab');
  });

  it('closes the server’s stream when the client destroys it', async () => {
    const { client, streams } = await start({
      accept: (stream) => stream.on('data', (bytes) => stream.write(bytes)),
    });
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: ['a'] });
    await client.perform('hear', { socket, until: 'a' });
    await client.perform('destroy', socket);
    await closed(streams[0]);
  });

  it('is told to the server’s response when the client destroys it', async () => {
    const { client, http } = await start({ handle: () => {} });
    const socket = await client.perform('dial', {});
    const requested = once(http, 'request');
    await client.perform('write', { socket, texts: [get('/never-answered')] });
    const [, response] = await requested;
    await Promise.all([once(response, 'close'), client.perform('destroy', socket)]);
    expect(response.writableFinished).toBe(false);
  });

  it('lets the server hear all that was written before the client destroys it soon', async () => {
    const heard = Promise.withResolvers<string>();
    const { client } = await start({ accept: (stream) => text(stream).then(heard.resolve, heard.reject) });
    const socket = await client.perform('dial', {});
    await client.perform('writeAndDestroySoon', { socket, text: 'the last' });
    expect(await heard.promise).toBe('the last');
    await client.perform('witness', { socket, event: 'close' });
  });

  it('drops an answer that nobody waits for any more, and leaves other sockets alone', async () => {
    const holding = new Holding();
    const { client } = await start(holding);
    const socket = await client.perform('dial', {});
    await client.perform('write', { socket, texts: ['1'] });
    const first = await holding.next();
    await client.perform('destroy', socket);
    const another = await client.perform('dial', {});
    await client.perform('write', { socket: another, texts: ['2'] });
    const second = await holding.next();
    first.reply('one');
    second.reply('two');
    expect(await client.perform('hear', { socket: another, until: 'two' })).toBe('two');
    expect((await client.perform('witness', { socket, event: 'close' })).heard.length).toBe(0);
  });

  it('comes to all of a thread’s streams with the thread', async () => {
    const { client, http, streams } = await start({ handle: () => {} });
    const requests = on(http, 'request');
    for (const path of ['/1', '/2', '/3']) {
      const socket = await client.perform('dial', {});
      await client.perform('write', { socket, texts: [get(path)] });
      await requests.next();
    }
    await client.terminate();
    expect(streams.length).toBe(3);
    await Promise.all(streams.map(closed));
  });

  it('lets a thread stop right after it wrote', async () => {
    const holding = new Holding();
    const { client } = await start(holding);
    const socket = await client.perform('dial', {});
    void client.perform('writeAndFreeze', { socket, text: 'the last' });
    expect((await holding.next()).request).toBe('the last');
  });
});

it('is good for a WebSocket', async () => {
  const { client, http, streams } = await start({});
  const webSockets = new WebSocketServer({ server: http });
  const seenClosed = Promise.withResolvers<unknown>();
  webSockets.on('connection', (socket) => {
    socket.on('message', (message) => socket.send(`you said ${message}`));
    socket.on('close', (code, reason) => seenClosed.resolve([code, String(reason)]));
  });
  expect(await client.perform('webSocket', 'hello')).toEqual({
    heard: 'you said hello',
    code: 1000,
    reason: 'bye',
  });
  expect(await seenClosed.promise).toEqual([1000, 'bye']);
  await closed(streams[0]);
});

it('is read into a small buffer, piece by piece', async () => {
  const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, n) => n % 251));
  const { client } = await start({
    accept: (stream) =>
      stream.once('data', () => {
        for (let at = 0; at < bytes.length; at += 1_000) stream.write(bytes.subarray(at, at + 1_000));
        stream.end();
      }),
  });
  const socket = await client.perform('dial', { onreadBytes: 7 });
  await client.perform('write', { socket, texts: ['a'] });
  const { heard, pieceBytesMax } = await client.perform('witness', { socket, event: 'close' });
  expect(Buffer.from(heard).equals(bytes)).toBe(true);
  expect(pieceBytesMax).toBe(7);
});

describe('a socket’s timeout', () => {
  async function dialled(dialling: Parameters<Tasks['dial']>[0] = {}) {
    const streams: Duplex[] = [];
    const { client } = await start({ accept: (stream) => streams.push(stream) });
    await client.perform('stopTime');
    const socket = await client.perform('dial', dialling);
    return { client, socket, streams, isOut: () => client.perform('timedOut', socket) };
  }

  it('comes when nothing comes for so long', async () => {
    const { client, socket, streams, isOut } = await dialled();
    await client.perform('write', { socket, texts: ['a'] });
    await client.perform('setTimeout', { socket, ms: 100 });
    await client.perform('passTime', 99);
    streams[0]?.write('.');
    await client.perform('hear', { socket, until: '.' });
    await client.perform('passTime', 99);
    expect(await isOut()).toBe(false);
    await client.perform('passTime', 1);
    expect(await isOut()).toBe(true);
  });

  it('comes when nothing goes for so long', async () => {
    const { client, socket, isOut } = await dialled();
    await client.perform('setTimeout', { socket, ms: 100 });
    await client.perform('passTime', 99);
    await client.perform('write', { socket, texts: ['a'] });
    await client.perform('passTime', 99);
    expect(await isOut()).toBe(false);
    await client.perform('passTime', 1);
    expect(await isOut()).toBe(true);
  });

  it('may be given with the address', async () => {
    const { client, isOut } = await dialled({ timeoutMs: 100 });
    await client.perform('passTime', 100);
    expect(await isOut()).toBe(true);
  });

  it('does not come once it was taken back', async () => {
    const { client, socket, isOut } = await dialled();
    await client.perform('setTimeout', { socket, ms: 100 });
    await client.perform('setTimeout', { socket, ms: 0 });
    await client.perform('passTime', 1_000);
    expect(await isOut()).toBe(false);
  });
});

describe('dialling', () => {
  const ways: Way[] = [
    'connect(port)',
    'connect(port, listener)',
    'connect("port", listener)',
    'connect(port, host)',
    'connect(port, host, listener)',
    'connect({ port })',
    'connect({ port, host })',
    'connect({ port, host }, listener)',
    'createConnection(port, host, listener)',
    'a named import of connect',
    'a named import of createConnection',
  ];

  it.each(ways)(
    'with %s goes through memory to the server’s port, and through the kernel to others',
    async (way) => {
      const { client, streams } = await start({ accept: (stream) => stream.pipe(stream) });
      const port = await listen(createTcpServer((socket) => socket.pipe(socket)));
      const near = await client.perform('dial', { way });
      await client.perform('write', { socket: near, texts: ['near'] });
      expect(await client.perform('hear', { socket: near, until: 'near' })).toBe('near');
      expect(streams.length).toBe(1);
      const far = await client.perform('dial', { way, port });
      await client.perform('write', { socket: far, texts: ['far'] });
      expect(await client.perform('hear', { socket: far, until: 'far' })).toBe('far');
      expect(streams.length).toBe(1);
    },
  );

  it('leaves the same port of another host to the kernel', async () => {
    const { client, port } = await start({});
    const elsewhere = { host: '::1', port };
    await expect(client.perform('dial', { elsewhere })).rejects.toThrow(/^connect E\w+ ::1:/);
  });

  it('leaves a path to the kernel', async () => {
    const { client, streams } = await start({});
    const directory = mkdtempSync(join(tmpdir(), 'loopback-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const server = createTcpServer((socket) => socket.end('hello'));
    const elsewhere = join(directory, 'socket');
    onTestFinished(() => void server.close());
    await once(server.listen(elsewhere), 'listening');
    const socket = await client.perform('dial', { elsewhere });
    expect(await client.perform('hear', { socket, until: 'hello' })).toBe('hello');
    expect(streams).toEqual([]);
  });
});
