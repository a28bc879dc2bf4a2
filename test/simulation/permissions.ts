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

interface Frame {
  readonly type?: string;
  readonly id?: string;
  readonly action?: string;
  readonly topic?: string;
  readonly code?: string;
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
  readonly #held = new Map<string, Token>();
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
    this.#held.set(id, token);
    const revokedAtMs = this.#revokedAtMs.get(`revoked#${token.user}#${token.id}`) ?? Infinity;
    if (revokedAtMs < connectedAtMs || connectedAtMs > token.endsAtMs + GRACE_MS + SKEW_MS)
      this.#world.violate(`${id} was let in with a token that is over`);
  }

  received(connectionId: string, text: string): void {
    const { action, id, topic }: Frame = JSON.parse(text);
    if (action !== 'subscribe' || topic === undefined) return;
    this.#asked.set(`${connectionId} ${id}`, { topic, atMs: this.#world.scheduler.nowMs });
  }

  sent(connectionId: string, text: string): void {
    const frame: Frame = JSON.parse(text);
    const { type, topic, messages = type === 'message' ? [frame] : [] } = frame;
    if (frame.code === 'forbidden') this.#expectForbidden(connectionId, frame);
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

  #expectMay(connectionId: string, operation: 'subscribe' | 'history', topic: string, atMs: number): void {
    const token = this.#held.get(connectionId);
    if (token && allows(token, operation, topic) && !this.#isOver(token, GRACE_MS, atMs)) return;
    this.#world.violate(`${connectionId} got ${topic} without a right to ${operation}`);
  }

  /** Whoever may subscribe has a right to all that it brings. */
  #expectAllowed(connectionId: string, { id }: Frame): void {
    const asked = this.#asked.get(`${connectionId} ${id}`);
    if (asked) this.#expectMay(connectionId, 'subscribe', asked.topic, asked.atMs);
  }

  /** Who is refused has no right to it. */
  #expectForbidden(connectionId: string, { id }: Frame): void {
    const asked = this.#asked.get(`${connectionId} ${id}`);
    const token = this.#held.get(connectionId);
    if (!asked || !token || asked.topic.startsWith('closed/')) return;
    if (allows(token, 'subscribe', asked.topic))
      this.#world.violate(`${connectionId} may subscribe to ${asked.topic}, and was refused`);
  }

  /** Where nothing goes wrong, nothing at all comes much later than the end of a token. */
  #expectAlive(connectionId: string): void {
    const token = this.#held.get(connectionId);
    const atMs = this.#world.scheduler.nowMs - SKEW_MS;
    if (!this.#world.faults.isGentle || (token && !this.#isOver(token, END_MS, atMs))) return;
    this.#world.violate(`${connectionId} was sent something, and its token is over`);
  }

  /** A revocation may be on its way for as long as things go wrong. */
  #isOver(token: Token, graceMs: number, atMs: number): boolean {
    const revocations = this.#world.faults.isGentle ? this.#tokens.revocations : [];
    return atMs > token.endsAtMs + graceMs || isRevoked(token, revocations, atMs - GRACE_MS);
  }
}
