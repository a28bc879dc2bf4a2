import type { Item } from '../memory/expression.ts';
import { allows, GRACE_MS, isRevoked, type Token } from '../rights/model.ts';
import { SKEW_MS } from './audience.ts';
import type { Deliveries } from './deliveries.ts';
import type { Connection } from './gateway.ts';
import { nameOf } from './messages.ts';
import type { Tokens } from './tokens.ts';
import type { World } from './world.ts';

/** A route answers within so long, and what it answers with was right when it was asked. */
const ANSWER_MS = 10_000 + SKEW_MS;
/** A connection whose token is over is closed by then, if nothing goes wrong. */
const END_MS = 60_000;

const MAYBE_DONE: readonly unknown[] = ['unavailable', 'internal'];

interface Counting {
  readonly token: Token;
  /** When the next one took its place. */
  untilMs: number;
}

interface Frame {
  readonly type?: string;
  readonly id?: string;
  readonly action?: string;
  readonly topic?: string;
  readonly code?: string;
  readonly token?: string;
  readonly messageId?: string;
  readonly messages?: readonly { readonly messageId?: string }[];
}

/**
 * Who may get what: nobody is sent a message of a topic without a token that lets them subscribe to it. What is late on
 * its way was right to be sent when it was published.
 */
export class Permissions {
  readonly #world: World;
  readonly #tokens: Tokens;
  /** By connection: what it was opened with, and what it was given since. */
  readonly #held = new Map<string, Counting[]>();
  /** Tokens of commands without an answer, by connection and id. */
  readonly #handedOver = new Map<string, string>();
  /** When a revocation was written down, by its key. */
  readonly #revokedAtMs = new Map<string, number>();
  readonly #deliveries: Deliveries;
  /** Subscribe commands without an answer, by connection and id. */
  readonly #asked = new Map<string, { readonly topic: string; readonly atMs: number }>();

  constructor(world: World, deliveries: Deliveries, tokens: Tokens) {
    this.#world = world;
    this.#deliveries = deliveries;
    this.#tokens = tokens;
  }

  /** Every write to the table of what is known of tokens. */
  written({ id, revokedAt }: Item): void {
    if (revokedAt && !this.#revokedAtMs.has(String(id?.S)))
      this.#revokedAtMs.set(String(id?.S), this.#world.now());
  }

  /** A handshake with a token has been accepted. */
  opened({ id, connectedAtMs }: Connection, protocols: readonly string[]): void {
    const token = this.#tokens.tokenIn(protocols.at(-1)?.replace('bearer.', '') ?? '');
    if (!token) {
      this.#world.violate(`${id} was let in with no token`);
      return;
    }
    this.#held.set(id, [{ token, untilMs: Infinity }]);
    const revokedAtMs = this.#revokedAtMs.get(`revoked#${token.user}#${token.id}`) ?? Infinity;
    if (revokedAtMs < connectedAtMs || connectedAtMs > token.endsAtMs + GRACE_MS + SKEW_MS)
      this.#world.violate(`${id} was let in with a token that is over`);
  }

  received(connectionId: string, text: string): void {
    const { action, id, topic, token }: Frame = JSON.parse(text);
    if (token !== undefined) this.#handedOver.set(`${connectionId} ${id}`, token);
    if (action !== 'subscribe' || topic === undefined) return;
    this.#asked.set(`${connectionId} ${id}`, { topic, atMs: this.#world.scheduler.nowMs });
  }

  sent(connectionId: string, text: string): void {
    const frame: Frame = JSON.parse(text);
    const { type, topic, messages = type === 'message' ? [frame] : [] } = frame;
    if (frame.code === 'forbidden') this.#expectForbidden(connectionId, frame);
    if (type === 'ack' && frame.action === 'authenticate') this.#renewed(connectionId, frame);
    // After a failure in the middle it may count all the same.
    if (!MAYBE_DONE.includes(frame.code)) this.#handedOver.delete(`${connectionId} ${frame.id}`);
    if (type === 'ack' && frame.action === 'subscribe') this.#expectAllowed(connectionId, frame);
    const { nowMs } = this.#world.scheduler;
    if (type !== 'ack' && messages.length > 0) this.#expectAlive(connectionId);
    if (topic === undefined) return;
    if (type === 'ack' && messages.length > 0) {
      this.#expectMay(connectionId, 'history', topic, nowMs - ANSWER_MS);
      if (frame.action === 'subscribe') this.#expectMay(connectionId, 'subscribe', topic, nowMs - ANSWER_MS);
      return;
    }
    for (const { messageId } of messages) {
      if (messageId === undefined) continue; // a note in its place
      const publishedAtMs = this.#deliveries.arrivedAtMs(nameOf({ topic, messageId })) ?? nowMs;
      this.#expectMay(connectionId, 'subscribe', topic, publishedAtMs - SKEW_MS);
    }
  }

  /** The newest token takes the place of the one before it, but not of the one that the connection was opened with. */
  #renewed(connectionId: string, { id }: Frame): void {
    const held = this.#held.get(connectionId) ?? [];
    const token = this.#tokens.tokenIn(this.#handedOver.get(`${connectionId} ${id}`) ?? '');
    if (token?.user !== held[0]?.token.user || !token) {
      this.#world.violate(`${connectionId} goes on with somebody else's token`);
      return;
    }
    const { nowMs } = this.#world.scheduler;
    for (const counting of held.slice(1)) counting.untilMs = Math.min(counting.untilMs, nowMs);
    held.push({ token, untilMs: Infinity });
  }

  #expectMay(connectionId: string, operation: 'subscribe' | 'history', topic: string, atMs: number): void {
    const held = this.#held.get(connectionId) ?? [];
    const isEnough = ({ token, untilMs }: Counting) =>
      untilMs > atMs - ANSWER_MS && allows(token, operation, topic) && !this.#isOver(token, GRACE_MS, atMs);
    // An answer may be late or lost: what is handed over may count already.
    if (held.some(isEnough) || this.#handedOverTo(connectionId).some(isEnough)) return;
    this.#world.violate(`${connectionId} got ${topic} without a right to ${operation}`);
  }

  /** Whoever may subscribe has a right to all that it brings. */
  #expectAllowed(connectionId: string, { id }: Frame): void {
    const asked = this.#asked.get(`${connectionId} ${id}`);
    // By the clock of whoever answered it.
    if (asked) this.#expectMay(connectionId, 'subscribe', asked.topic, asked.atMs - SKEW_MS);
  }

  /** Who is refused has no right to it. */
  #expectForbidden(connectionId: string, { id }: Frame): void {
    const asked = this.#asked.get(`${connectionId} ${id}`);
    const token = this.#held.get(connectionId)?.[0]?.token;
    if (!asked || !token || asked.topic.startsWith('closed/')) return;
    const isLive = this.#world.scheduler.nowMs < token.endsAtMs;
    if (isLive && allows(token, 'subscribe', asked.topic))
      this.#world.violate(`${connectionId} may subscribe to ${asked.topic}, and was refused`);
  }

  #handedOverTo(connectionId: string): Counting[] {
    const user = this.#held.get(connectionId)?.[0]?.token.user;
    return [...this.#handedOver].flatMap(([key, text]) => {
      const token = key.startsWith(`${connectionId} `) ? this.#tokens.tokenIn(text) : undefined;
      return token?.user === user && token ? { token, untilMs: Infinity } : [];
    });
  }

  /** Where nothing goes wrong, nothing at all comes much later than the end of a token. */
  #expectAlive(connectionId: string): void {
    const atMs = this.#world.scheduler.nowMs - SKEW_MS;
    const held = [...(this.#held.get(connectionId) ?? []), ...this.#handedOverTo(connectionId)];
    if (!this.#world.faults.isGentle || held.some(({ token }) => !this.#isOver(token, END_MS, atMs))) return;
    this.#world.violate(`${connectionId} was sent something, and its token is over`);
  }

  /** A revocation may be on its way for as long as things go wrong. */
  #isOver(token: Token, graceMs: number, atMs: number): boolean {
    const revocations = this.#world.faults.isGentle ? this.#tokens.revocations : [];
    return atMs > token.endsAtMs + graceMs || isRevoked(token, revocations, atMs - GRACE_MS);
  }
}
