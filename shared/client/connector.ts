import type { TopicPosition } from '../protocol/frames.ts';
import { backoffMs, retryInMs } from './backoff.ts';
import { FanwireError } from './errors.ts';
import { type Heartbeat, type HeartbeatHooks, startHeartbeat } from './heartbeat.ts';
import { type Lease, leaseOf } from './lease.ts';
import type { Settings } from './options.ts';
import { type Refreshed, Renewal } from './renewal.ts';
import { Session, type SessionHooks } from './session.ts';
import { Timers } from './timers.ts';

/** A handshake runs Lambdas and is billed: there is at most one a second, whatever the options say. */
const DIAL_MS_MIN = 1000;
/** From opening the next connection to having every subscription on it. */
const ROLLOVER_MS_MAX = 60_000;
/** A replaced connection stays this long, because messages may still be on their way to it. */
const LINGER_MS = 5000;
/** And up to so many times longer, while commands on it have no answer. */
const LINGERS_MAX = 6;

/** The server has had a new token for so long, and not said that it has taken it: then the next connection brings one. */
const RENEWAL_MS_MAX = 10_000;

export type State = 'connecting' | 'connected' | 'disconnected' | 'closed';

export interface StateChange {
  readonly state: State;
  /** Why it is `disconnected` or `closed`. */
  readonly reason?: FanwireError;
  /** Until the next try, while it is `disconnected`; sooner if the network comes back. */
  readonly retryInMs?: number;
}

interface ConnectorHooks
  extends Pick<SessionHooks, 'onFrame' | 'onError'>,
    Pick<HeartbeatHooks, 'quietPositions'> {
  readonly onState: (change: StateChange) => void;
  /** Where the server says that logs end. Of two positions of a topic the latter counts. */
  readonly onNewest: (positions: readonly TopicPosition[]) => void;
  /** Another connection is open beside the current one. It takes over once every topic is subscribed to on it. */
  readonly onRollover: (next: Session) => void;
}

/**
 * Keeps the client connected: through drops, the network's absence, and the end of each connection after two hours
 * (a quota of API Gateway).
 *
 *     connecting -> connected -> disconnected -> connecting …
 *     any -> closed
 */
export class Connector {
  readonly #settings: Settings;
  readonly #hooks: ConnectorHooks;
  readonly #timers: Timers;
  readonly #renewal: Renewal;
  #state: State = 'connecting';
  #reason: FanwireError | undefined;
  /** The one in use, or being opened. None while disconnected or closed. */
  #session: Session | undefined;
  /** The one that will take over. Only while connected. */
  #next: Session | undefined;
  /** The one that it took over from, as long as it lingers. */
  #retired: Session | undefined;
  /** When a WebSocket was last opened, or tried to be. */
  #dialledAtMs = -Infinity;
  /** Of the newest token that the server has been given. */
  #lease: Lease | undefined;
  #cancelRenewal = () => {};
  #failures = 0;
  #rolloverFailures = 0;
  /** Waiting for its retry timer, or refused for good. */
  #isRolloverDeferred = false;
  #heartbeat: Heartbeat | undefined;

  constructor(settings: Settings, hooks: ConnectorHooks) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#timers = new Timers(settings);
    this.#renewal = new Renewal(
      settings,
      () => this.session,
      (session, token, expiresAt) => this.#renewed(session, token, expiresAt),
    );
  }

  get state(): State {
    return this.#state;
  }

  get reason(): FanwireError | undefined {
    return this.#reason;
  }

  /** Where commands go. */
  get session(): Session | undefined {
    return this.#state === 'connected' ? this.#session : undefined;
  }

  /** Where every subscription has to be. */
  get sessions(): Session[] {
    return [this.session, this.#next].filter((session) => session?.isOpen === true) as Session[];
  }

  start(): void {
    const { network } = this.#settings;
    network?.addEventListener('offline', this.#goOffline);
    network?.addEventListener('online', this.#goOnline);
    this.#open();
  }

  /** A connection that is still being opened brings its own token. */
  refresh(): Promise<Refreshed> {
    return this.#renewal.run();
  }

  close(reason: FanwireError): void {
    if (this.#state === 'closed') return;
    const { network } = this.#settings;
    network?.removeEventListener('offline', this.#goOffline);
    network?.removeEventListener('online', this.#goOnline);
    this.#become({ state: 'closed', reason });
    this.#renewal.close(reason);
    this.#endAll(reason);
  }

  /**
   * A browser says `offline` while a socket works, and says nothing when one does not. So both are hints: a connection is
   * checked at once, and a wait for the next try ends when the network comes back.
   */
  readonly #goOffline = (): void => {
    if (this.session) this.#heartbeat?.check();
  };

  readonly #goOnline = (): void => {
    if (this.session) this.#heartbeat?.check();
    if (this.#state !== 'disconnected') return;
    this.#timers.clear();
    this.#timers.after(this.#mayDialInMs, () => this.#reconnect());
  };

  #reconnect(): void {
    this.#timers.clear();
    this.#become({ state: 'connecting' });
    if (this.#state === 'connecting') this.#open();
  }

  #open(): void {
    this.#session = this.#newSession();
    this.#session.start();
  }

  #newSession(): Session {
    const session: Session = new Session(this.#settings, {
      ...this.#hooks,
      onDial: (token = '') => {
        this.#dialledAtMs = this.#settings.now();
        this.#lease = leaseOf(token, this.#settings, this.#lease);
      },
      onOpen: () => this.#opened(session),
      onClosing: () => this.#replace(session),
      onIdle: () => this.#promoteIfReady(session),
      onEnd: (reason) => this.#ended(session, reason),
    });
    return session;
  }

  #opened(session: Session): void {
    if (session === this.#session) {
      this.#watch(session);
      this.#become({ state: 'connected' });
    } else {
      this.#hooks.onRollover(session);
      this.#promoteIfReady(session);
    }
  }

  #ended(session: Session, reason: FanwireError): void {
    if (session === this.#session) this.#lost(session, reason);
    else if (session === this.#next) this.#deferRollover(reason);
    else if (session === this.#retired) this.#retired = undefined;
  }

  #lost(session: Session, reason: FanwireError): void {
    if (!reason.temporary) {
      this.close(reason);
      return;
    }
    if (session.proven) this.#failures = 0;
    this.#session = undefined;
    if (session.closing && this.#next) {
      this.#goOverTo(this.#next, reason);
      return;
    }
    this.#endNext(reason);
    const retryInMs = Math.max(backoffMs(this.#failures++, this.#settings), this.#mayDialInMs);
    this.#timers.after(retryInMs, () => this.#reconnect());
    this.#become({ state: 'disconnected', reason, retryInMs });
  }

  /** The end was foretold, so that the next connection has been asked for already. */
  #goOverTo(next: Session, reason: FanwireError): void {
    this.#session = next;
    this.#next = undefined;
    this.#rolloverFailures = 0;
    this.#become({ state: 'disconnected', reason, retryInMs: 0 });
    if (this.#state === 'disconnected') this.#become({ state: 'connecting' });
    if (this.#state === 'connecting' && next.isOpen) this.#opened(next);
  }

  /** A clock that was put back says nothing of when the last one was. */
  get #mayDialInMs(): number {
    const sinceMs = this.#settings.now() - this.#dialledAtMs;
    return Math.min(Math.max(DIAL_MS_MIN - sinceMs, 0), DIAL_MS_MIN);
  }

  #become(change: StateChange): void {
    this.#state = change.state;
    this.#reason = change.reason;
    this.#hooks.onState(change);
  }

  #endNext(reason: FanwireError): void {
    const next = this.#next;
    this.#next = undefined;
    this.#timers.clear();
    this.#isRolloverDeferred = false;
    this.#rolloverFailures = 0;
    next?.end(reason);
  }

  #endAll(reason: FanwireError): void {
    const current = [this.#session, this.#retired];
    this.#session = undefined;
    this.#retired = undefined;
    this.#endNext(reason);
    for (const session of current) session?.end(reason);
  }

  #watch(session: Session): void {
    this.#heartbeat?.stop();
    this.#heartbeat = startHeartbeat(session, this.#settings, {
      ...this.#hooks,
      onPong: ({ behind = [], rollover }, asked) => {
        this.#hooks.onNewest([...asked, ...behind]);
        if (rollover) this.#rollOver(session);
      },
    });
    this.#renewInTime(session);
    if (session.closing) this.#replace(session);
  }

  #renewInTime(session: Session, inMs = this.#lease?.renewInMs() ?? Infinity, failures = 0): void {
    this.#cancelRenewal();
    this.#cancelRenewal = session.timers.after(inMs, () => {
      const cancel = session.timers.after(RENEWAL_MS_MAX, () => this.#rollOver(session));
      this.#renewal.run().then(cancel, (error: FanwireError) => {
        cancel();
        const againInMs = retryInMs(error, failures, this.#settings);
        const isInTime = againInMs + RENEWAL_MS_MAX < (this.#lease?.leftMs() ?? 0);
        if (error.code !== 'rate_limited' || !isInTime) this.#rollOver(session);
        else if (session === this.session) this.#renewInTime(session, againInMs, failures + 1);
      });
    });
  }

  #renewed(session: Session, token: string, expiresAt: string): void {
    if (session !== this.session) return;
    this.#lease = leaseOf(token, this.#settings, this.#lease, expiresAt);
    this.#renewInTime(session);
    if (session.closing) return;
    // A next one was put off for the want of a token, perhaps for good; the next ping says if it is needed all the same.
    this.#timers.clear();
    this.#isRolloverDeferred = false;
    // It was given a token before this one.
    this.#next?.end(OUTDATED);
  }

  /** At once: no wait for another try holds that up. */
  #replace(session: Session): void {
    if (session !== this.session) return;
    this.#timers.clear();
    this.#isRolloverDeferred = false;
    this.#rollOver();
  }

  /** From that connection, if it is still the one in use. */
  #rollOver(session = this.session): void {
    if (session !== this.session || this.#next || this.#isRolloverDeferred) return;
    if (this.#mayDialInMs > 0) {
      this.#rollOverIn(this.#mayDialInMs);
      return;
    }
    const next = this.#newSession();
    this.#next = next;
    // It has no heartbeat yet that would find it dead.
    next.timers.after(ROLLOVER_MS_MAX, () => {
      if (next === this.#next) next.end(new FanwireError('timeout', 'expected to have moved over, did not'));
    });
    next.start();
  }

  /** The current connection goes on as long as it can. */
  #deferRollover(reason: FanwireError): void {
    this.#next = undefined;
    if (reason.temporary) {
      this.#rollOverIn(Math.max(backoffMs(this.#rolloverFailures++, this.#settings), this.#mayDialInMs));
      return;
    }
    // Not tried again: the end of the current connection will be the end of the client.
    this.#isRolloverDeferred = true;
    this.#hooks.onError(reason);
  }

  #rollOverIn(ms: number): void {
    this.#isRolloverDeferred = true;
    this.#timers.after(ms, () => {
      this.#isRolloverDeferred = false;
      this.#rollOver();
    });
  }

  #promoteIfReady(next: Session): void {
    if (next !== this.#next || !next.topicOrder.idle) return;
    const old = this.#session;
    this.#session = next;
    this.#next = undefined;
    this.#rolloverFailures = 0;
    this.#watch(next);
    this.#retired?.end(REPLACED);
    this.#retired = old;
    old?.topicOrder.close();
    if (old) linger(old, LINGERS_MAX);
  }
}

const OUTDATED = new FanwireError('disconnected', 'the current connection has a newer token');
const REPLACED = new FanwireError('disconnected', 'another connection has taken over');

function linger(old: Session, left: number): void {
  old.timers.after(LINGER_MS, () => {
    if (left > 0 && !old.commands.idle) linger(old, left - 1);
    else old.end(REPLACED);
  });
}
