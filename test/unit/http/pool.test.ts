import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it, vi } from 'vitest';
import { Deadlines } from '../../../shared/aws/http/deadlines.ts';
import { Exchange } from '../../../shared/aws/http/exchange.ts';
import { Pool, type PooledSocket } from '../../../shared/aws/http/pool.ts';
import { Queue } from '../../../shared/aws/http/queue.ts';
import { type Answer, IDLE_MS_MAX, WAITING_MAX } from '../../../shared/aws/http/transport.ts';

const answer: Answer = {
  status: 200,
  errorType: '',
  requestId: '',
  date: '',
  body: new Uint8Array(),
  headers: undefined,
};
interface Request {
  readonly path: string;
}
const deadlines = new Deadlines(60_000);
const exchange = (path = ''): Exchange<Request> => new Exchange({ path }, deadlines.next(), deadlines);

/** Answers when it is told to. */
class FakeSocket implements PooledSocket<Request> {
  usedAt = 0;
  sent: Exchange<Request>[] = [];
  ended = false;
  readonly pool: Pool<Request>;
  constructor(pool: Pool<Request>) {
    this.pool = pool;
  }
  send(next: Exchange<Request>): void {
    this.sent.push(next);
  }
  answer(): void {
    this.usedAt = performance.now();
    this.sent.at(-1)?.settle(answer);
    this.pool.free(this);
  }
  drop(): void {}
  end(error: Error): void {
    this.ended = true;
    this.sent.at(-1)?.settle(error);
    this.pool.lost(this);
  }
}

function poolOf(socketsMax: number) {
  const sockets: FakeSocket[] = [];
  const pool = new Pool<Request>((owner) => {
    const socket = new FakeSocket(owner);
    sockets.push(socket);
    return socket;
  }, socketsMax);
  return { pool, sockets };
}

describe('Pool', () => {
  it('makes sockets only when it needs them, and gives the last used first', () => {
    const { pool, sockets } = poolOf(3);
    pool.send(exchange());
    sockets[0]?.answer();
    pool.send(exchange());
    pool.send(exchange());
    expect(sockets).toHaveLength(2);
    sockets[1]?.answer();
    sockets[0]?.answer();
    pool.send(exchange());
    expect(sockets.map(({ sent }) => sent.length)).toEqual([3, 1]);
  });

  it('gives a freed or lost socket to the first that waits and still wants its answer', async () => {
    const { pool, sockets } = poolOf(1);
    const posts = ['a', 'b', 'c', 'd'].map(exchange);
    for (const post of posts) pool.send(post);
    posts[1]?.expire(new Error('late'));
    sockets[0]?.answer();
    sockets[0]?.end(new Error('dead'));
    expect(sockets.map(({ sent }) => sent.map(({ request }) => request.path))).toEqual([['a', 'c'], ['d']]);
    expect(await posts[1]?.answered).toMatchObject({ message: 'late' });
  });

  it('replays on a socket of its own before others have their turn', () => {
    const { pool, sockets } = poolOf(2);
    for (const path of ['a', 'b', 'c']) pool.send(exchange(path));
    const [first] = sockets;
    if (first) pool.lost(first, first.sent[0]);
    expect(sockets.map(({ sent }) => sent.map(({ request }) => request.path))).toEqual([['a'], ['b'], ['a']]);
  });

  it('uses no socket that was idle for too long', () => {
    const { pool, sockets } = poolOf(3);
    for (let n = 0; n < 3; n++) pool.send(exchange());
    for (const socket of sockets) socket.answer();
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + IDLE_MS_MAX + 1);
    pool.send(exchange());
    clock.mockRestore();
    expect(sockets.map(({ ended, sent }) => [ended, sent.length])).toEqual([
      [true, 1],
      [true, 1],
      [true, 1],
      [false, 1],
    ]);
  });

  it('refuses more posts than may wait', async () => {
    const { pool } = poolOf(1);
    for (let n = 0; n <= WAITING_MAX; n++) pool.send(exchange());
    const refused = exchange();
    pool.send(refused);
    expect(await refused.answered).toMatchObject({ message: expect.stringContaining(`${WAITING_MAX}`) });
  });
});

describe('Queue', () => {
  it('gives back in order what it was given, however many come and go', () => {
    const queue = new Queue<Request>(10_000);
    const given: string[] = [];
    for (let n = 0; n < 5_000; n++) {
      queue.push(exchange(`${n}`));
      if (n % 3 > 0) given.push(queue.shift()?.request.path ?? '');
    }
    for (let next = queue.shift(); next; next = queue.shift()) given.push(next.request.path);
    expect(given).toEqual(Array.from({ length: 5_000 }, (_, n) => `${n}`));
  });
});

describe('Exchange', () => {
  it('settles once', async () => {
    const post = exchange();
    const carrier = { drop: vi.fn() };
    post.carrier = carrier;
    post.settle(answer);
    post.expire(new Error('late'));
    expect(await post.answered).toBe(answer);
    expect(carrier.drop).not.toHaveBeenCalled();
  });

  it('tells who carries it when nobody wants its answer any more', () => {
    const post = exchange();
    const carrier = { drop: vi.fn() };
    post.carrier = carrier;
    post.expire(new Error('late'));
    expect(carrier.drop).toHaveBeenCalledExactlyOnceWith(post);
  });
});

describe('Deadlines', () => {
  it('fires for each at its own time, though one timer serves all', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] });
    try {
      const fake = new Deadlines(1_000);
      const fired: [string, number][] = [];
      const add = (name: string, timeoutMs?: number) => {
        const post = {
          expiresAt: fake.next(timeoutMs),
          expire: () => {
            fired.push([name, performance.now()]);
            fake.delete(post);
          },
        };
        fake.add(post);
        return post;
      };
      const start = performance.now();
      add('a');
      vi.advanceTimersByTime(300);
      const answered = add('b');
      add('c');
      vi.advanceTimersByTime(300);
      fake.delete(answered);
      vi.advanceTimersByTime(2_000);
      add('d');
      vi.advanceTimersByTime(100);
      add('short', 200);
      vi.advanceTimersByTime(2_000);
      // A millisecond is what the fake clock gives to a look at answers that have come.
      expect(fired.map(([name, at]) => [name, at - start])).toEqual([
        ['a', 1_001],
        ['c', 1_301],
        ['short', 2_901],
        ['d', 3_601],
      ]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('reads an answer that has come before it takes it for missing', async () => {
    const { port1, port2 } = new MessageChannel();
    const late = new Deadlines(5);
    const post = new Exchange({ path: '' }, late.next(), late);
    port2.once('message', () => post.settle(answer));
    port1.postMessage('answer');
    // The process is held up for longer than the post may take, with the answer there.
    const untilMs = performance.now() + 20;
    while (performance.now() < untilMs);
    expect(await post.answered).toBe(answer);
    port1.close();
  });
});
