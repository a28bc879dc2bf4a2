import type { WebSocketLike } from '../../../shared/client/index.ts';
import { ErrorCode } from '../../../shared/protocol/errors.ts';
import { COMING_LOG, type Position } from '../../../shared/protocol/frames.ts';
import { patternsCovering, type Topic } from '../../../shared/protocol/topic.ts';
import { refusalOf } from '../../support/refusal.ts';
import type { Clock } from './clock.ts';

/**
 * A server that keeps the wire contract, takes only what the real parsers take, with a log in memory for each topic of the namespace `log`. Faults are scripted:
 * tests set `onConnect`, `onCommand` and `onLive`, or cut, freeze, trim and reincarnate.
 */

// biome-ignore lint/suspicious/noExplicitAny: frames are looked at as they come, and a wrong shape fails the test
type Frame = any;

/** What becomes of a command; without one it is carried out and answered. */
export type Fate =
  | 'lost'
  | 'reply lost'
  | 'gateway error'
  | { readonly error: string; readonly retryAfterMs?: number }
  | { readonly runAfterMs?: number; readonly replyAfterMs?: number };
export type LiveFate = 'lost' | 'twice' | { readonly afterMs: number } | undefined;

export interface Log {
  readonly epoch: string;
  /** The oldest offset that is kept. */
  first: number;
  newest: number;
  /** Offsets without an entry are tombstones. */
  readonly entries: Map<number, Entry>;
}
interface Entry {
  readonly offset: number;
  readonly messageId: string;
  readonly publishedAt: string;
  readonly publisher: object;
  readonly data: unknown;
  readonly except: readonly string[];
}

const REPLAY_MAX = 300;

export class FakeServer {
  readonly clock: Clock;
  /** Every socket that there was, oldest first. */
  readonly sockets: FakeSocket[] = [];
  /** Every command that arrived. */
  readonly commands: { readonly socket: FakeSocket; readonly frame: Frame }[] = [];
  readonly logs = new Map<string, Log>();
  /** Those that were forgotten too, by epoch. */
  readonly allLogs = new Map<string, Log>();
  /** What each publish brought about, keyed by topic and key. */
  readonly published = new Map<string, { messageId: string; offset?: number }>();
  /** One way. */
  latencyMs = 10;
  /** Whether subscribers have the right to history. */
  mayRecover = true;
  /** Messages of a replay that fit into the answer. */
  inlineMax = 50;
  /** Messages that fit into a page of history. */
  pageMax = 100;
  onConnect: (url: string, attempt: number, protocols: readonly string[]) => 'open' | 'refuse' | 'hang' =
    () => 'open';
  onCommand: (frame: Frame, socket: FakeSocket) => Fate | undefined = () => undefined;
  onLive: (frame: Frame, socket: FakeSocket) => LiveFate = () => undefined;
  /** Until when a new token is good on a live connection; without that the server knows no such action. */
  onAuthenticate: (token: string, socket: FakeSocket) => string | undefined = () => undefined;
  /** Until when a subscription is allowed by a grant; an error says why it is not. */
  onGrant: (frame: Frame, socket: FakeSocket) => { expiresAt?: string; error?: string } = () => ({});
  #ids = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** For the client's option of that name. */
  get WebSocket(): new (
    url: string,
    protocols?: string[],
  ) => WebSocketLike {
    const server = this;
    return class extends FakeSocket {
      constructor(url: string, protocols: string[] = []) {
        super(server, url, protocols);
      }
    };
  }

  /** The newest one. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error('expected a socket, got none');
    return socket;
  }

  get openSockets(): FakeSocket[] {
    return this.sockets.filter(({ isOpen }) => isOpen);
  }

  commandsOf(action: string): Frame[] {
    return this.commands.map(({ frame }) => frame).filter((frame) => frame.action === action);
  }

  log(topic: string): Log {
    const known = this.logs.get(topic);
    if (known) return known;
    const log: Log = { epoch: `e${++this.#ids}`, first: 1, newest: 0, entries: new Map() };
    this.logs.set(topic, log);
    this.allLogs.set(log.epoch, log);
    return log;
  }

  /** As a reader has it, who begins none. */
  #logToRead(topic: string): Log {
    const epoch = `${COMING_LOG}${this.clock.now().toString(36)}`;
    return this.logs.get(topic) ?? { epoch, first: 1, newest: 0, entries: new Map() };
  }

  /** As a back end would. Gives the message's id. */
  publish(topic: string, data: unknown, key?: string, except: readonly string[] = []): string {
    const name = `${topic} ${key ?? `#${++this.#ids}`}`;
    const known = this.published.get(name);
    if (known) return known.messageId;
    const messageId = `m${++this.#ids}`;
    const message = { messageId, publishedAt: new Date(this.clock.now()).toISOString(), publisher: {}, data };
    if (!keepsHistory(topic)) {
      this.published.set(name, { messageId });
      this.#fanOut(topic, () => ({ type: 'message', topic, ...message }), except);
      return messageId;
    }
    const log = this.log(topic);
    const offset = ++log.newest;
    const { epoch } = log;
    this.published.set(name, { messageId, offset });
    log.entries.set(offset, { offset, ...message, except });
    this.#fanOut(topic, (isLeftOut) =>
      isLeftOut
        ? { type: 'message', topic, epoch, offset, skipped: true }
        : { type: 'message', topic, epoch, offset, ...message },
    );
    return messageId;
  }

  publishMany(topic: string, from: number, to: number): void {
    for (let data = from; data <= to; data++) this.publish(topic, data);
  }

  /** An offset that was allocated and will never have a message. */
  tombstone(topic: string): void {
    this.log(topic).newest++;
  }

  /** The log forgets everything up to this offset. */
  trim(topic: string, offset: number): void {
    const log = this.log(topic);
    log.first = Math.max(log.first, offset + 1);
  }

  /** The log is forgotten and begins anew. */
  reincarnate(topic: string): void {
    this.logs.delete(topic);
    this.log(topic);
  }

  sendDirect(data: unknown): void {
    const messageId = `m${++this.#ids}`;
    for (const socket of this.openSockets) {
      socket.deliver({
        type: 'message',
        messageId,
        publishedAt: '2026-01-01T00:00:00Z',
        publisher: {},
        data,
      });
    }
  }

  newConnectionId(): string {
    return `c${++this.#ids}`;
  }

  receive(socket: FakeSocket, text: string): void {
    const frame = JSON.parse(text);
    this.commands.push({ socket, frame });
    const refusal = refusalOf(text);
    // The client must not send it at all, so the test fails that moves the clock.
    if (refusal && refusal.code !== ErrorCode.unknownAction) throw refusal;
    const fate = this.onCommand(frame, socket);
    if (fate === 'lost') return;
    if (fate === 'gateway error') {
      socket.deliver({ message: 'Internal server error', connectionId: socket.connectionId, requestId: 'r' });
      return;
    }
    if (typeof fate === 'object' && 'error' in fate) {
      socket.deliver({ ...errorTo(frame, fate.error), retryAfterMs: fate.retryAfterMs });
      return;
    }
    const { runAfterMs = 0, replyAfterMs = 0 } = typeof fate === 'object' ? fate : {};
    this.#later(runAfterMs, () => {
      const reply = this.#run(socket, frame);
      if (fate !== 'reply lost') this.#later(replyAfterMs, () => socket.deliver(reply));
    });
  }

  #later(ms: number, run: () => void): void {
    if (ms === 0) run();
    else this.clock.setTimeout(run, ms);
  }

  #run(socket: FakeSocket, frame: Frame): Frame {
    const { action, id, topic } = frame;
    switch (action) {
      case 'subscribe':
        return this.#subscribe(socket, frame);
      case 'unsubscribe':
        socket.leave(topic);
        return { type: 'ack', id, action, topic };
      case 'history':
        return this.#history(socket, frame);
      case 'publish':
        return this.#publish(socket, frame);
      case 'ping':
        return this.#ping(socket, frame);
      case 'send':
        return { type: 'ack', id, action, messageId: `m${++this.#ids}` };
      case 'whoami':
        return { type: 'ack', id, action, connectionId: socket.connectionId, endpoint: 'https://x/prod' };
      case 'authenticate': {
        const expiresAt = this.onAuthenticate(frame.token, socket);
        return expiresAt ? { type: 'ack', id, action, expiresAt } : errorTo(frame, 'unknown_action');
      }
      default:
        return errorTo(frame, 'unknown_action');
    }
  }

  #subscribe(socket: FakeSocket, frame: Frame): Frame {
    const { id, topic, rewind, grant } = frame;
    const { error, expiresAt } = this.onGrant(frame, socket);
    if (error) return errorTo(frame, error);
    const ack = { type: 'ack', id, action: 'subscribe', topic, ...(grant && { expiresAt }) };
    if (topic.startsWith('private')) return errorTo(frame, 'forbidden');
    if (topic.endsWith('*') || !keepsHistory(topic)) {
      if (rewind) return errorTo(frame, 'bad_request');
      socket.join(topic);
      return { ...ack, ...(frame.position && { recovered: false, reason: 'no_history' }) };
    }
    socket.join(topic);
    const log = this.#logToRead(topic);
    const { epoch, newest } = log;
    const position = positionIn(log, frame.position);
    if (position) {
      const reason = this.mayRecover ? this.#lossAfter(log, position, REPLAY_MAX) : 'recovery_off';
      if (reason) return { ...ack, epoch, offset: newest, recovered: false, reason };
      return { ...ack, recovered: true, ...this.#page(log, socket, position.offset + 1, this.inlineMax) };
    }
    if (!rewind) return { ...ack, epoch, offset: newest };
    return { ...ack, ...this.#page(log, socket, this.#rewindStart(log, rewind), this.inlineMax) };
  }

  #rewindStart(log: Log, rewind: number | { seconds: number }): number {
    if (typeof rewind === 'number') return Math.max(log.first, log.newest - rewind + 1);
    const since = new Date(this.clock.now() - rewind.seconds * 1000).toISOString();
    const first = [...log.entries.values()].find((entry) => entry.publishedAt >= since);
    return Math.max(log.first, first?.offset ?? log.newest + 1);
  }

  #lossAfter({ epoch, first, newest }: Log, after: Position, max: number): string | undefined {
    if (after.epoch !== epoch) return 'epoch';
    if (after.offset > newest) return 'unknown_position';
    if (after.offset + 1 < first) return 'trimmed';
    return newest - after.offset > max ? 'too_many' : undefined;
  }

  #page(log: Log, socket: FakeSocket, from: number, limit: number): object {
    const to = Math.min(log.newest, from + limit - 1);
    const messages = [];
    for (let offset = from; offset <= to; offset++) {
      const entry = log.entries.get(offset);
      if (!entry || entry.except.includes(socket.connectionId)) continue;
      const { except, ...message } = entry;
      messages.push(message);
    }
    return { epoch: log.epoch, offset: to, messages, ...(to < log.newest && { more: true }) };
  }

  #history(socket: FakeSocket, frame: Frame): Frame {
    const { id, topic, before, limit = 50, reverse } = frame;
    const ack = { type: 'ack', id, action: 'history', topic };
    if (!keepsHistory(topic)) return errorTo(frame, 'bad_request');
    const log = this.#logToRead(topic);
    const after = positionIn(log, frame.after);
    const max = Math.min(limit, this.pageMax);
    if (reverse) {
      const end = Math.min(before ?? log.newest + 1, log.newest + 1) - 1;
      const start = Math.max(log.first, end - max + 1);
      const page = Array.from({ length: end - start + 1 }, (_, index) => log.entries.get(end - index));
      return {
        ...ack,
        epoch: log.epoch,
        offset: start,
        messages: page.filter(Boolean),
        ...(start > log.first && { more: true }),
      };
    }
    const reason = after && this.#lossAfter(log, after, Number.POSITIVE_INFINITY);
    if (reason) {
      return { ...ack, epoch: log.epoch, offset: log.newest, messages: [], recovered: false, reason };
    }
    const page = this.#page(log, socket, after ? after.offset + 1 : log.first, max);
    return { ...ack, ...(after && { recovered: true }), ...page };
  }

  #ping(socket: FakeSocket, frame: Frame): Frame {
    const { id, positions = [] } = frame;
    if (socket.endedTopics.size > 0) return errorTo(frame, 'gone');
    const behind = positions
      .map(({ topic, epoch, offset }: Frame) => {
        const log = this.logs.get(topic);
        const isNewest = !log || (log.epoch === epoch && log.newest === offset);
        return isNewest ? undefined : { topic, epoch: log.epoch, offset: log.newest };
      })
      .filter(Boolean);
    return {
      type: 'ack',
      id,
      action: 'ping',
      ...(behind.length > 0 && { behind }),
      ...(socket.isOld && { rollover: true }),
    };
  }

  #publish(socket: FakeSocket, frame: Frame): Frame {
    const { action, id, messages = [frame] } = frame;
    if (messages.some(({ data }: Frame) => data === undefined || data === 'BAD'))
      return errorTo(frame, 'bad_request');
    const answers = messages.map(({ topic, data, key, except }: Frame) => {
      const left = except === 'self' ? [socket.connectionId] : except;
      const messageId = this.publish(topic, data, key, left);
      return { messageId, place: this.#placeOf(topic, key, messageId) };
    });
    const [{ messageId, place }] = answers;
    if (!frame.messages) return { type: 'ack', id, action, messageId, ...place };
    const places = answers.map(({ place }: Frame) => place ?? null);
    return { type: 'ack', id, action, messageIds: answers.map(({ messageId }: Frame) => messageId), places };
  }

  #placeOf(topic: string, key: string | undefined, messageId: string): Frame | undefined {
    if (!keepsHistory(topic)) return undefined;
    if (key === 'stale') return { dropped: 'stale' };
    const { epoch, entries } = this.log(topic);
    return { epoch, offset: [...entries].find(([, entry]) => entry.messageId === messageId)?.[0] };
  }

  #fanOut(topic: string, frameFor: (isLeftOut: boolean) => Frame, except: readonly string[] = []): void {
    for (const socket of this.openSockets) {
      const covers = patternsCovering(topic as Topic).some((pattern) => socket.topics.has(pattern));
      if (!covers || (!keepsHistory(topic) && except.includes(socket.connectionId))) continue;
      const entry = this.logs.get(topic)?.entries.get(this.logs.get(topic)?.newest ?? 0);
      socket.deliver(frameFor(entry?.except.includes(socket.connectionId) ?? false), true);
    }
  }
}

const keepsHistory = (topic: string): boolean => topic.startsWith('log/');

/** No log is forgotten so soon that it could have been another. */
const positionIn = ({ epoch }: Log, position: Position | undefined): Position | undefined =>
  position?.epoch.startsWith(COMING_LOG) && position.offset === 0 ? { epoch, offset: 0 } : position;

const errorTo = ({ id }: Frame, code: string): Frame => ({ type: 'error', id, code, message: `${code}!` });

export class FakeSocket implements WebSocketLike {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly url: string;
  readonly protocols: readonly string[];
  readonly connectionId: string;
  readonly topics = new Set<string>();
  /** Of subscriptions that have ended on their own, and that the client has not left: a ping is answered with `gone`. */
  readonly endedTopics = new Set<string>();
  isOpen = false;
  /** Ping answers ask it to roll over. */
  isOld = false;
  /** Nothing gets through any more, and nobody says so. */
  isFrozen = false;
  readonly #server: FakeServer;
  #isOver = false;

  constructor(server: FakeServer, url: string, protocols: readonly string[]) {
    this.#server = server;
    this.url = url;
    this.protocols = protocols;
    this.connectionId = server.newConnectionId();
    server.sockets.push(this);
    const fate = server.onConnect(url, server.sockets.length, protocols);
    if (fate === 'hang') return;
    server.clock.setTimeout(() => {
      if (this.#isOver) return;
      if (fate === 'refuse') this.cut(1006);
      else this.#open();
    }, server.latencyMs);
  }

  join(topic: string): void {
    this.topics.add(topic);
    this.endedTopics.delete(topic);
  }

  leave(topic: string): void {
    this.topics.delete(topic);
    this.endedTopics.delete(topic);
  }

  /** Its right to the topic has ended. */
  lapse(topic: string): void {
    if (this.topics.delete(topic)) this.endedTopics.add(topic);
  }

  send(text: string): void {
    if (!this.isOpen) throw new Error('expected to send on an open socket, got another');
    const { clock, latencyMs } = this.#server;
    clock.setTimeout(() => {
      if (this.isOpen && !this.isFrozen) this.#server.receive(this, text);
    }, latencyMs);
  }

  /** By the client. */
  close(): void {
    this.#isOver = true;
    this.isOpen = false;
  }

  /** By the network or the server. */
  cut(code = 1006): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.isOpen = false;
    this.onerror?.();
    this.onclose?.({ code });
  }

  deliver(frame: object, isLive = false): void {
    const fate = isLive ? this.#server.onLive(frame, this) : undefined;
    if (fate === 'lost') return;
    const afterMs = this.#server.latencyMs + (typeof fate === 'object' ? fate.afterMs : 0);
    this.deliverText(JSON.stringify(frame), afterMs);
    if (fate === 'twice') this.deliverText(JSON.stringify(frame), afterMs + 5);
  }

  deliverText(text: string, afterMs = 0): void {
    this.#server.clock.setTimeout(() => {
      if (this.isOpen && !this.isFrozen) this.onmessage?.({ data: text });
    }, afterMs);
  }

  #open(): void {
    this.isOpen = true;
    this.onopen?.();
  }
}
