import type { WebSocketLike } from '../../shared/client/options.ts';
import type { Connection, Gateway, Handshake } from './gateway.ts';
import type { World } from './world.ts';

const NETWORK_MS = 30;
const STALL_MS = [200, 4_000] as const;
/** How long a side that is told of a broken socket at all may take to notice. */
const NOTICE_MS = [10, 30_000] as const;
/** A browser gives up waiting for the other side's close frame. */
const CLOSE_TIMEOUT_MS = 10_000;

/** Sees what its owner sends and gets, just before. */
export interface Tap {
  opened(connectionId: string): void;
  sent(socket: Socket, text: string): void;
  received(socket: Socket, text: string): void;
}

/** A client's end of a WebSocket. What it sends arrives in order, late, or not at all, and so does what it is sent. */
export class Socket implements WebSocketLike {
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: string }) => void) | null = null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  /** Whoever looks over its shoulder. */
  readonly #tap: Tap;
  readonly #world: World;
  readonly #gateway: Gateway;
  #state: 'connecting' | 'open' | 'closing' | 'closed' = 'connecting';
  #connection: Connection | undefined;
  /** Nothing gets through any more, in either direction. */
  #isSilent = false;
  #upMs = 0;
  #downMs = 0;

  constructor(world: World, gateway: Gateway, tap: Tap, handshake: Handshake, isOnline: boolean) {
    this.#world = world;
    this.#tap = tap;
    this.#gateway = gateway;
    if (!isOnline) this.#fail();
    else this.#up(() => gateway.connect(this, handshake));
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  send(text: string): void {
    if (this.#state === 'connecting') throw new Error('expected an open socket, got one that is connecting');
    if (this.#state !== 'open') return;
    this.#tap.sent(this, text);
    this.#up(() => this.#connection && this.#gateway.receive(this.#connection, text));
  }

  close(): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#state = 'closing';
    this.#up(() => this.#connection && this.#gateway.closedByClient(this.#connection));
    this.#world.after(CLOSE_TIMEOUT_MS, () => this.#closed(1006, ''));
  }

  /** The handshake is over, on the gateway's side. */
  accepted(connection: Connection): void {
    this.#connection = connection;
    this.#tap.opened(connection.id);
    this.#down(() => {
      if (this.#state !== 'connecting') return void this.#gateway.closedByClient(connection);
      this.#state = 'open';
      this.onopen?.();
    });
  }

  refused(): void {
    this.#down(() => this.#fail());
  }

  /** From the gateway. */
  deliver(text: string): void {
    this.#down(() => {
      if (this.#state === 'open') this.#tap.received(this, text);
      if (this.#state === 'open' || this.#state === 'closing') this.onmessage?.({ data: text });
    });
  }

  /** The gateway has closed it. */
  closedByGateway(code: number, reason: string): void {
    this.#down(() => this.#closed(code, reason));
  }

  /** Both ends learn of it, each in its own time. */
  breaks(): void {
    if (this.#isSilent) return;
    this.#isSilent = true;
    const { dice } = this.#world;
    this.#world.trace('breaks', this.#connection?.id);
    this.#world.after(dice.scale(...NOTICE_MS), () => this.#closed(1006, ''));
    const connection = this.#connection;
    if (connection) this.#world.after(dice.scale(...NOTICE_MS), () => this.#gateway.lost(connection));
  }

  /** Nobody is told, or the gateway alone. */
  goesSilent(): void {
    if (this.#isSilent) return;
    this.#isSilent = true;
    const { dice } = this.#world;
    this.#world.trace('goes silent', this.#connection?.id);
    const connection = this.#connection;
    if (connection && dice.chance(0.5)) {
      this.#world.after(dice.scale(...NOTICE_MS), () => this.#gateway.lost(connection));
    }
  }

  /** Its owner is no more: nobody listens. */
  abandon(): void {
    this.onopen = null;
    this.onmessage = null;
    this.onclose = null;
    this.onerror = null;
  }

  #up(arrive: () => void): void {
    if (this.#isSilent) return;
    this.#upMs = this.#arrival(this.#upMs);
    this.#world.after(this.#upMs - this.#world.scheduler.nowMs, () => {
      if (!this.#isSilent) arrive();
    });
  }

  #down(arrive: () => void): void {
    if (this.#isSilent) return;
    this.#downMs = this.#arrival(this.#downMs);
    this.#world.after(this.#downMs - this.#world.scheduler.nowMs, () => {
      if (!this.#isSilent) arrive();
    });
  }

  /** Never before what was sent earlier. */
  #arrival(previousMs: number): number {
    const { faults, dice, scheduler } = this.#world;
    const stallMs = faults.hits('networkStalls') ? dice.scale(...STALL_MS) : 0;
    return Math.max(previousMs, scheduler.nowMs + this.#world.latency(NETWORK_MS) + stallMs);
  }

  #fail(): void {
    this.#world.after(1, () => {
      if (this.#state === 'closed') return;
      this.onerror?.();
      this.#closed(1006, '');
    });
  }

  #closed(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.onclose?.({ code, reason });
  }
}
