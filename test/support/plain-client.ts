import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { WebSocket } from 'ws';

// A client written from PROTOCOL.md alone, as one in another language would be: it shares no code and no types with the
// client SDK. What it would have to guess is missing on that page.

// biome-ignore lint/suspicious/noExplicitAny: frames are what the page says they are
type Frame = any;
/** With `held`: what came before that which is missing below it, by epoch and offset. */
type Topic = { position?: { epoch: string; offset: number }; readonly held: Map<string, Frame> };
interface PlainOptions {
  readonly url: string;
  readonly WebSocket: new (url: string) => WebSocket;
  readonly heartbeatMs: number;
  readonly onMessage: (message: Frame) => void;
  readonly onLoss: (topic: string, reason: string) => void;
}

const [REPLY_MS, PONG_MS, GAP_MS, LINGER_MS, KEY_MS] = [30_000, 10_000, 1_000, 5_000, 300_000];
const LOST = { type: 'error', code: 'unavailable' };
const backoff = (failures: number) => delay(Math.random() * Math.min(20_000, 500 * 2 ** failures));

/** One connection. */
class Line {
  readonly #socket: WebSocket;
  readonly #asked = new Map<string, (reply: Frame) => void>();
  readonly opened: Promise<void>;
  readonly closed: Promise<void>;
  frames = 0;

  constructor({ WebSocket, url }: PlainOptions, onMessage: (message: Frame) => void) {
    this.#socket = new WebSocket(url);
    this.opened = new Promise((resolve) => this.#socket.once('open', resolve));
    this.closed = new Promise((resolve) => this.#socket.once('close', () => resolve()));
    this.#socket.on('message', (text) => {
      this.frames += 1;
      const frame = JSON.parse(String(text));
      const { type, id, code, messages, ...common } = frame;
      if (type === 'ack' || type === 'error') this.#asked.get(id)?.(frame);
      if (type === 'message') onMessage(frame);
      if (type === 'messages') for (const message of messages) onMessage({ ...common, ...message });
      if (code === 'gone') this.close();
    });
  }

  close = (): void => this.#socket.close();

  /** The ack or error that answers a command. */
  async ask(command: object, withinMs = REPLY_MS): Promise<Frame> {
    const id = randomUUID();
    const reply = new Promise<Frame>((resolve) => this.#asked.set(id, resolve));
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify({ ...command, id }));
    const late = delay(withinMs, undefined, { ref: false });
    const answer = await Promise.race([reply, late, this.closed]);
    this.#asked.delete(id);
    return answer ?? LOST;
  }
}

export class PlainClient {
  readonly #options: PlainOptions;
  readonly #topics: ReadonlyMap<string, Topic>;
  /** What came of volatile topics, by its id. */
  readonly #seen = new Map<string, { readonly atMs: number; readonly publishedAt: string }>();
  #line: Line | undefined;
  #isClosed = false;
  #published: Promise<unknown> = Promise.resolve();

  constructor(options: PlainOptions, topics: readonly string[]) {
    this.#options = options;
    this.#topics = new Map(topics.map((topic) => [topic, { held: new Map() }]));
    void this.#stay();
  }

  /** One after the other, each until it has its ack: its key keeps it one message. */
  publish(topic: string, data: unknown): Promise<Frame> {
    const command = { action: 'publish', topic, data, key: randomUUID() };
    const result = this.#published.then(async () => {
      for (let failures = 0; ; await backoff(failures++)) {
        const reply = (await this.#line?.ask(command)) ?? LOST;
        if (reply.type === 'ack') return reply;
        if (!['unavailable', 'internal'].includes(reply.code)) throw reply;
      }
    });
    this.#published = result.catch(() => {});
    return result;
  }

  close(): void {
    this.#isClosed = true;
    this.#line?.close();
  }

  async #stay(): Promise<void> {
    for (let failures = 0; !this.#isClosed; ) {
      this.#line ??= await this.#open();
      if (this.#line) failures = 0; // it has acked a command
      this.#line = this.#line && (await this.#hold(this.#line));
      if (!this.#line) await backoff(failures++);
    }
  }

  /** A connection that is subscribed to everything. */
  async #open(): Promise<Line | undefined> {
    const line = new Line(this.#options, (message) => this.#receive(message));
    await Promise.race([line.opened, line.closed, delay(PONG_MS, undefined, { ref: false })]);
    const joined = [...this.#topics.keys()].map((topic) => this.#catchUp(line, topic, 'subscribe'));
    if ((await Promise.all(joined)).every(Boolean)) return line;
    line.close();
  }

  /** Until it ends, or another has taken its place. */
  async #hold(line: Line): Promise<Line | undefined> {
    while ((await Promise.race([line.closed, delay(this.#options.heartbeatMs, 'beat')])) === 'beat') {
      const known = [...this.#topics].filter(([, { position }]) => position).slice(0, 100);
      const positions = known.map(([topic, { position }]) => ({ topic, ...position }));
      const { frames } = line;
      const pong = await line.ask({ action: 'ping', ...(known.length > 0 && { positions }) }, PONG_MS);
      if (line.frames === frames) line.close();
      if (line.frames === frames) return undefined; // whatever its socket says
      for (const { topic } of pong.behind ?? []) void this.#repair(topic);
      const next = pong.rollover && (await this.#open());
      if (next) void delay(LINGER_MS).then(line.close);
      if (next) return next;
    }
    return undefined;
  }

  /** What comes after the position, up to the last page. False if there was no answer. */
  async #catchUp(line: Line, topic: string, action: 'subscribe' | 'history'): Promise<boolean> {
    const it = this.#topics.get(topic) as Topic;
    const from = it.position && { [action === 'subscribe' ? 'position' : 'after']: it.position };
    const page = await line.ask({ action, topic, ...from });
    if (page.type !== 'ack' || page.epoch === undefined) return page.type === 'ack';
    if (page.recovered === false) this.#options.onLoss(topic, page.reason);
    for (const message of page.messages ?? []) this.#deliver(it, { topic, epoch: page.epoch, ...message });
    if (isBeyond(page, it)) it.position = { epoch: page.epoch, offset: page.offset };
    if (page.more) return this.#catchUp(line, topic, 'history');
    this.#drain(it);
    return true;
  }

  /** Asks for what is missing, if it does not come by itself. */
  async #repair(topic: string): Promise<void> {
    const before = this.#topics.get(topic)?.position;
    await delay(GAP_MS);
    if (this.#topics.get(topic)?.position !== before) return;
    if (this.#line) await this.#catchUp(this.#line, topic, 'history');
  }

  #receive(message: Frame): void {
    const { topic, epoch, offset } = message;
    const it = this.#topics.get(topic);
    if (it && epoch !== undefined) {
      it.held.set(`${epoch} ${offset}`, message);
      this.#drain(it);
      if (it.position && it.held.size > 0) void this.#repair(topic);
    } else if (it && this.#isNew(message)) this.#options.onMessage(message);
  }

  #isNew({ topic, messageId, publishedAt }: Frame): boolean {
    const id = `${topic} ${messageId}`;
    const atMs = performance.now();
    const seen = this.#seen.get(id);
    if (seen && (seen.publishedAt === publishedAt || atMs - seen.atMs <= KEY_MS)) return false;
    this.#seen.set(id, { atMs, publishedAt });
    return true;
  }

  #drain(it: Topic): void {
    if (!it.position) return;
    const { epoch, offset } = it.position;
    this.#deliver(it, it.held.get(`${epoch} ${offset + 1}`));
    for (const [key, message] of it.held) if (!isBeyond(message, it)) it.held.delete(key);
    if (it.position.offset > offset) this.#drain(it);
  }

  #deliver(it: Topic, message: Frame): void {
    if (!message || !isBeyond(message, it)) return;
    it.position = { epoch: message.epoch, offset: message.offset };
    if (!message.skipped) this.#options.onMessage(message);
  }
}

const isBeyond = ({ epoch, offset }: Frame, { position }: Topic): boolean =>
  !position || position.epoch !== epoch || offset > position.offset;
