/** A thread whose sockets to one port go through memory, and which does with them what a test asks for. */
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import net, { connect, createConnection, type NetConnectOpts, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { parentPort, workerData } from 'node:worker_threads';
import { WebSocket } from 'ws';
import { installLoopback, type LoopbackSettings } from '../../../infra/local/http/loopback/dial.ts';

const HOST = '127.0.0.1';

type Dial = (port: number, connected: () => void) => Socket;

/** In how many ways one can dial. */
const WAYS = {
  'connect(port)': (port, connected) => net.connect(port).once('connect', connected),
  // Documented, but not in Node's types.
  'connect(port, listener)': (port, connected) => net.connect(port, connected as unknown as string),
  'connect("port", listener)': (port, connected) => net.connect(String(port), connected),
  'connect(port, host)': (port, connected) => net.connect(port, HOST).once('connect', connected),
  'connect(port, host, listener)': (port, connected) => net.connect(port, HOST, connected),
  'connect({ port })': (port, connected) => net.connect({ port }).once('connect', connected),
  'connect({ port, host })': (port, connected) =>
    net.connect({ port, host: HOST }).once('connect', connected),
  'connect({ port, host }, listener)': (port, connected) =>
    net.connect({ port, host: 'localhost' }, connected),
  'createConnection(port, host, listener)': (port, connected) => net.createConnection(port, HOST, connected),
  'a named import of connect': (port, connected) => connect(port, HOST, connected),
  'a named import of createConnection': (port, connected) =>
    createConnection({ port, host: HOST }, connected),
} satisfies Record<string, Dial>;
export type Way = keyof typeof WAYS;

interface Sent {
  readonly path: string;
  readonly body?: Uint8Array;
}

interface Dialling {
  readonly way?: Way;
  /** Another port than that of the loopback. */
  readonly port?: number;
  /** What is no port of this host: a path, or options. */
  readonly elsewhere?: string | NetConnectOpts;
  /** Has what comes read into a buffer of so many bytes. */
  readonly onreadBytes?: number;
  readonly timeoutMs?: number;
  readonly unread?: boolean;
}

/** A socket and what became of it. */
class Dialled {
  readonly socket: Socket;
  readonly #pieces: Buffer[] = [];
  readonly #happened = new Set<string>();
  #check = (): void => {};

  constructor(dial: (take: (piece: Buffer) => void) => Socket) {
    this.socket = dial((piece) => {
      this.#pieces.push(Buffer.from(piece));
      this.#check();
    });
    for (const event of ['end', 'close', 'timeout']) {
      this.socket.on(event, () => {
        this.#happened.add(event);
        this.#check();
      });
    }
  }

  get heard(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  get pieceBytesMax(): number {
    return Math.max(...this.#pieces.map(({ length }) => length));
  }

  has(event: string): boolean {
    return this.#happened.has(event);
  }

  /** There is one at a time who waits. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#check = () => isSo() && resolve();
      this.#check();
    });
  }
}

/** Timers on a clock that is set by hand. */
class Timers {
  readonly #due = new Map<object, { atMs: number; readonly run: () => void }>();
  #nowMs = 0;

  install(): void {
    const setTimeout = (run: () => void, ms: number) => {
      const due = { atMs: this.#nowMs + ms, run };
      const timer = {
        unref: () => timer,
        refresh: () => {
          due.atMs = this.#nowMs + ms;
          return timer;
        },
      };
      this.#due.set(timer, due);
      return timer;
    };
    Object.assign(globalThis, { setTimeout, clearTimeout: (timer: object) => this.#due.delete(timer) });
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    for (const [timer, { atMs, run }] of this.#due) {
      if (atMs > this.#nowMs) continue;
      this.#due.delete(timer);
      run();
    }
  }
}

const timers = new Timers();
const { port } = workerData as LoopbackSettings;
const loopback = installLoopback(workerData as LoopbackSettings);
const agent = new Agent({ keepAlive: true });
const dialled: Dialled[] = [];
const idleSockets = (): Socket[] => Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? []);
const at = (socket: number): Dialled => dialled[socket] as Dialled;

async function request({ path, body }: Sent) {
  const sent = httpRequest({ port, host: HOST, path, agent, method: body ? 'POST' : 'GET' });
  sent.end(body);
  const [response] = await once(sent, 'response');
  return { status: response.statusCode, body: await buffer(response), reused: sent.reusedSocket };
}

function dialWith(
  { way, port: other = port, elsewhere, onreadBytes, timeoutMs, unread }: Dialling,
  connected: () => void,
): Dialled {
  if (onreadBytes !== undefined) return new Dialled((take) => dialOnread(onreadBytes, take, connected));
  if (timeoutMs !== undefined) {
    return new Dialled(() => net.connect({ port, host: HOST, timeout: timeoutMs }, connected));
  }
  const dial = WAYS[way ?? 'connect(port, host, listener)'];
  const socket =
    elsewhere === undefined ? dial(other, connected) : net.connect(elsewhere as string, connected);
  return new Dialled((take) => (unread ? socket : socket.on('data', take)));
}

function dialOnread(length: number, take: (piece: Buffer) => void, connected: () => void): Socket {
  const bytes = Buffer.alloc(length);
  const callback = (taken: number): boolean => {
    take(bytes.subarray(0, taken));
    return true;
  };
  return net.connect({ port, host: HOST, onread: { buffer: bytes, callback } }, connected);
}

const tasks = {
  /** All at once, with the sockets of one agent. */
  request: (requests: readonly Sent[]) => Promise.all(requests.map(request)),

  /** How many sockets the agent keeps for the next request. */
  idleSockets: () => idleSockets().length,

  async idleSocketsClosed(): Promise<void> {
    await Promise.all(idleSockets().map((socket) => once(socket, 'close')));
  },

  /** Answers with the socket's number. */
  async dial(dialling: Dialling): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const opened = dialWith(dialling, resolve);
    opened.socket.on('error', reject);
    await promise;
    return dialled.push(opened) - 1;
  },

  /** Each text in a write of its own, all of them in one tick. */
  write({ socket, texts }: { readonly socket: number; readonly texts: readonly string[] }): void {
    for (const text of texts) at(socket).socket.write(text);
  },

  end: (socket: number): void => void at(socket).socket.end(),

  writeAndDestroySoon({ socket, text }: { readonly socket: number; readonly text: string }): void {
    at(socket).socket.write(text);
    at(socket).socket.destroySoon();
  },

  writeAndDestroy({ socket, text }: { readonly socket: number; readonly text: string }): void {
    at(socket).socket.write(text);
    at(socket).socket.destroy();
  },

  destroy: (socket: number): void => void at(socket).socket.destroy(),

  setTimeout: ({ socket, ms }: { readonly socket: number; readonly ms: number }): void =>
    void at(socket).socket.setTimeout(ms),

  /** From now on time passes only when a test says so. */
  stopTime: (): void => timers.install(),
  passTime: (ms: number): void => timers.pass(ms),
  timedOut: (socket: number): boolean => at(socket).has('timeout'),

  /** All that came, once it ends like this. */
  async hear({ socket, until }: { readonly socket: number; readonly until: string }): Promise<string> {
    const dialled = at(socket);
    await dialled.until(() => dialled.heard.toString().endsWith(until));
    return dialled.heard.toString();
  },

  /** What the socket has been through, once it has been through this. */
  async witness({ socket, event }: { readonly socket: number; readonly event: string }) {
    const dialled = at(socket);
    await dialled.until(() => dialled.has(event));
    const { heard, pieceBytesMax } = dialled;
    return { heard, pieceBytesMax, ended: dialled.has('end') };
  },

  /** Writes and then stops for good, as a frozen thread. */
  writeAndFreeze({ socket, text }: { readonly socket: number; readonly text: string }): void {
    at(socket).socket.write(text);
    loopback.flush();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },

  /** Opens a WebSocket, says something, hears something, and closes. */
  async webSocket(text: string) {
    const socket = new WebSocket(`ws://${HOST}:${port}/prod`);
    await once(socket, 'open');
    socket.send(text);
    const [message] = await once(socket, 'message');
    socket.close(1000, 'bye');
    const [code, reason] = await once(socket, 'close');
    return { heard: String(message), code, reason: String(reason) };
  },
};
export type Tasks = typeof tasks;

export interface Order {
  readonly id: number;
  readonly task: keyof Tasks;
  readonly argument: unknown;
}

export interface Outcome {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: unknown;
}

parentPort?.on('message', async ({ id, task, argument }: Order) => {
  const perform = tasks[task] as (argument: unknown) => unknown;
  let outcome: Outcome;
  try {
    outcome = { id, result: await perform(argument) };
  } catch (error) {
    outcome = { id, error };
  }
  parentPort?.postMessage(outcome);
});
