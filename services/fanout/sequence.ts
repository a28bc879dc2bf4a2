import { mapLimit } from '../../shared/async.ts';
import type { Claim, Log, LogEntry, Logs } from '../../shared/data/log.ts';
import { KEY_WINDOW_MS, type WireMessage } from '../../shared/protocol/frames.ts';
import type { HistoryNamespace } from '../../shared/protocol/namespaces.ts';
import type { Topic } from '../../shared/protocol/topic.ts';

export interface SequenceDeps {
  readonly logs: Pick<
    Logs,
    'open' | 'allocate' | 'allocateVersion' | 'claims' | 'claim' | 'write' | 'entry' | 'putLast'
  >;
  /** The epochs that this worker knows; one that is not a topic's any more is refused by the log and replaced. */
  readonly epochs: Map<Topic, string>;
  readonly newId: () => string;
  readonly now: () => number;
}

/** A message that has no offset yet. */
export interface Draft {
  readonly message: WireMessage;
  /** The publication that it came with. The same key can come with several. */
  readonly origin: string;
  /** It has a key, or has been handed out before: it may have an offset already. */
  readonly mayBeRepeated: boolean;
  readonly version?: number;
  readonly expiresAtMs?: number;
  readonly except?: readonly string[];
}

/**
 * What became of a draft: `stored`, perhaps by an earlier try that did not get as far as delivering it; `repeated`, when
 * another publication with the same key has brought it; `stale`, when the topic has had a newer version.
 */
export type Sequenced =
  | { readonly outcome: 'stored' | 'repeated'; readonly epoch: string; readonly entry: LogEntry }
  | { readonly outcome: 'stale' };

/** Each try is lost to somebody who has decided something in the meantime. */
const TRIES_MAX = 8;
const WRITES_IN_FLIGHT_MAX = 10;
const EPOCHS_MAX = 10_000;

/**
 * Gives messages to a topic their offsets, and writes them to its log: in this order, before anybody looks for
 * subscribers.
 *
 * 1. Offsets are allocated. If this worker dies now they are holes, which readers turn into tombstones.
 * 2. Each message claims its offset: from now on whoever brings it again finds where it belongs.
 * 3. It is written there, unless a reader was impatient and there is a tombstone: then it needs another offset.
 */
export async function sequence(
  topic: Topic,
  drafts: readonly Draft[],
  namespace: HistoryNamespace,
  deps: SequenceDeps,
): Promise<Sequenced[]> {
  const sequenced = new Map<Draft, Sequenced>();
  for (const round of roundsOf(drafts)) {
    const results = await sequenceRound(topic, round, namespace, deps);
    for (const [index, draft] of round.entries()) sequenced.set(draft, results[index] as Sequenced);
  }
  return drafts.map((draft) => sequenced.get(draft) as Sequenced); // each was in a round
}

/** A queue that had to wait may bring a key twice that was published again so late that it is another message. */
function roundsOf(drafts: readonly Draft[]): Draft[][] {
  const rounds: Draft[][] = [];
  for (let rest = drafts; rest.length > 0; ) {
    const firsts = firstOfEach(rest);
    const { round = [], later = [] } = Object.groupBy(rest, (draft) => {
      const first = firsts.get(idOf(draft)) ?? draft;
      return first === draft || isWithinWindow(publishedAtMs(first), draft) ? 'round' : 'later';
    });
    rounds.push(round);
    rest = later;
  }
  return rounds;
}

async function sequenceRound(
  topic: Topic,
  drafts: readonly Draft[],
  namespace: HistoryNamespace,
  deps: SequenceDeps,
): Promise<Sequenced[]> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const log = { topic, epoch: await epochOf(topic, deps) };
    const sequenced = await new Sequencer(log, namespace, deps).run(drafts);
    if (sequenced) return sequenced;
    deps.epochs.delete(topic);
  }
  throw new Error(`expected the log of ${topic} to stay the same, got a new one ${TRIES_MAX} times`);
}

async function epochOf(topic: Topic, { epochs, logs, newId }: SequenceDeps): Promise<string> {
  const known = epochs.get(topic);
  if (known !== undefined) return known;
  const { epoch } = await logs.open(topic, newId());
  if (epochs.size >= EPOCHS_MAX) epochs.clear();
  epochs.set(topic, epoch);
  return epoch;
}

/** An offset that is this worker's to decide. */
interface Place {
  readonly offset: number;
  readonly atMs: number;
  readonly previousAtMs: number;
}
/** Where a message is, and the publication that brought it there. */
type Settled = { readonly origin: string; readonly entry: LogEntry } | 'stale';
/** The log is not the topic's any more. */
const MOVED = Symbol('moved');
type Moved = typeof MOVED;

class Sequencer {
  readonly #log: Log;
  readonly #namespace: HistoryNamespace;
  readonly #deps: SequenceDeps;

  constructor(log: Log, namespace: HistoryNamespace, deps: SequenceDeps) {
    this.#log = log;
    this.#namespace = namespace;
    this.#deps = deps;
  }

  /** Undefined if the log is not the topic's any more. */
  async run(drafts: readonly Draft[]): Promise<Sequenced[] | undefined> {
    const firsts = firstOfEach(drafts);
    const distinct = [...firsts.values()];
    const suspects = distinct.filter(({ mayBeRepeated }) => mayBeRepeated).map(idOf);
    const claims = suspects.length > 0 ? await this.#deps.logs.claims(this.#log, suspects) : new Map();
    const places = await this.#allocateFor(
      distinct.filter((draft) => !isHeld(claims.get(idOf(draft)), draft)),
    );
    if (places === MOVED) return undefined;
    const results = await mapLimit(distinct, WRITES_IN_FLIGHT_MAX, (draft) =>
      this.#settle(draft, claims.get(idOf(draft)), places.get(draft)),
    );
    const settled = new Map<string, Settled>();
    for (const [index, draft] of distinct.entries()) {
      const result = results[index];
      if (result?.status !== 'fulfilled') throw result?.reason;
      if (result.value === MOVED) return undefined;
      settled.set(idOf(draft), result.value);
    }
    await this.#keepLast([...settled.values()]);
    const brought = new Set<string>();
    return drafts.map((draft) => {
      const it = settled.get(idOf(draft)) as Settled; // its first was settled
      if (it === 'stale') return { outcome: 'stale' };
      const { epoch } = this.#log;
      // It is brought to its subscribers by the publication that it came with, and once in a batch.
      const isFirst = it.origin === draft.origin && !brought.has(idOf(draft));
      if (isFirst) brought.add(idOf(draft));
      return { outcome: isFirst ? 'stored' : 'repeated', epoch, entry: it.entry };
    });
  }

  /** Offsets in the order of the drafts. Those with versions are taken one by one, because each can be refused. */
  async #allocateFor(drafts: readonly Draft[]): Promise<Map<Draft, Place | 'stale'> | Moved> {
    const places = new Map<Draft, Place | 'stale'>();
    if (drafts.some(({ version }) => version !== undefined)) {
      for (const draft of drafts) {
        const place = await this.#allocate(draft);
        if (place === MOVED) return MOVED;
        places.set(draft, place);
      }
      return places;
    }
    if (drafts.length === 0) return places;
    const atMs = this.#deps.now();
    const allocation = await this.#deps.logs.allocate(this.#log, drafts.length);
    if (!allocation) return MOVED;
    for (const [index, draft] of drafts.entries()) {
      const previousAtMs = index === 0 ? allocation.previousAtMs : atMs;
      places.set(draft, { offset: allocation.first + index, atMs, previousAtMs });
    }
    return places;
  }

  async #allocate({ version, message }: Draft): Promise<Place | 'stale' | Moved> {
    const { logs, now } = this.#deps;
    const atMs = now();
    const allocation =
      version === undefined
        ? await logs.allocate(this.#log, 1)
        : await logs.allocateVersion(this.#log, version, {
            messageId: message.messageId,
            publishedAtMs: Date.parse(message.publishedAt),
          });
    if (allocation === 'stale') return allocation;
    return allocation ? { offset: allocation.first, atMs, previousAtMs: allocation.previousAtMs } : MOVED;
  }

  /** Finds the message at the offset that it has, or gives it one. */
  async #settle(
    draft: Draft,
    known: Claim | undefined,
    allocated: Place | 'stale' | undefined,
  ): Promise<Settled | Moved> {
    const { logs } = this.#deps;
    let claim = known;
    let spare = allocated;
    let own: Place | undefined;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const held = claim && isHeld(claim, draft) ? claim : undefined;
      const settled = held && (await this.#decide(draft, held, own));
      if (settled) {
        // Whoever waits for the offset that is not needed now waits no longer.
        if (spare && spare !== 'stale') await this.#write({ offset: spare.offset, atMs: spare.atMs });
        return settled;
      }
      const place: Place | 'stale' | Moved = spare ?? (await this.#allocate(draft));
      if (place === MOVED) return MOVED;
      const isMine = await logs.claim(this.#log, idOf(draft), this.#claimOf(draft, place), claim?.offset);
      if (isMine && place === 'stale') return place;
      claim = isMine
        ? this.#claimOf(draft, place)
        : (await logs.claims(this.#log, [idOf(draft)])).get(idOf(draft));
      [own, spare] = isMine && place !== 'stale' ? [place, undefined] : [own, place];
    }
    throw new Error(
      `expected to settle message ${idOf(draft)} in ${TRIES_MAX} tries, got overtaken each time`,
    );
  }

  /** That a message is stale is claimed, too: somebody else may be about to store it. */
  #claimOf({ origin, message }: Draft, place: Place | 'stale'): Claim {
    const publishedAtMs = Date.parse(message.publishedAt);
    return place === 'stale'
      ? { offset: place, origin, publishedAtMs, atMs: this.#deps.now() }
      : { offset: place.offset, origin, publishedAtMs, atMs: place.atMs };
  }

  /** What a claim has come to; undefined if there is a tombstone, and the message has to take another offset. */
  async #decide(draft: Draft, claim: Claim, own: Place | undefined): Promise<Settled | undefined> {
    const { offset, origin, atMs } = claim;
    if (offset === 'stale') return offset;
    const entry = await this.#entryAt(draft, { offset, origin, atMs }, own);
    return entry?.json === undefined ? undefined : { origin, entry };
  }

  async #entryAt(
    draft: Draft,
    claim: Pick<LogEntry, 'offset' | 'atMs'> & Pick<Claim, 'origin'>,
    own: Place | undefined,
  ): Promise<LogEntry | undefined> {
    const { logs } = this.#deps;
    const { offset, atMs } = claim;
    const isMine = claim.origin === draft.origin;
    // Somebody else's may be about to be written. It is written by now, or it takes another offset, too.
    const found = isMine ? undefined : await logs.entry(this.#log, offset);
    if (found) return found;
    const entry = isMine ? entryFor(draft, { offset, atMs }, own) : { offset, atMs };
    return (await this.#write(entry)) ? entry : logs.entry(this.#log, offset);
  }

  #write(entry: LogEntry): Promise<boolean> {
    return this.#deps.logs.write(this.#log, entry, this.#namespace.history.seconds);
  }

  async #keepLast(settled: readonly Settled[]): Promise<void> {
    if (!this.#namespace.lastValue) return;
    const entries = settled.flatMap((each) => (each === 'stale' ? [] : each.entry));
    const last = entries.toSorted((a, b) => a.offset - b.offset).at(-1);
    if (last) await this.#deps.logs.putLast(this.#log, last);
  }
}

const idOf = ({ message }: Draft): string => message.messageId;
const publishedAtMs = ({ message }: Draft): number => Date.parse(message.publishedAt);

function firstOfEach(drafts: readonly Draft[]): Map<string, Draft> {
  const firsts = new Map<string, Draft>();
  for (const draft of drafts) if (!firsts.has(idOf(draft))) firsts.set(idOf(draft), draft);
  return firsts;
}

/**
 * Whether the claim is this message's: its own, or that of the same key published not much earlier. What was published
 * before the claim is never new, only late.
 */
const isHeld = (claim: Claim | undefined, draft: Draft): boolean =>
  claim !== undefined && isWithinWindow(claim.publishedAtMs, draft);

const isWithinWindow = (ofFirstMs: number, draft: Draft): boolean =>
  publishedAtMs(draft) <= ofFirstMs + KEY_WINDOW_MS;

function entryFor(
  { message, expiresAtMs, except }: Draft,
  place: Pick<Place, 'offset' | 'atMs'>,
  own: Place | undefined,
): LogEntry {
  const { messageId, ...rest } = message;
  return {
    ...place,
    json: JSON.stringify({ messageId, offset: place.offset, ...rest }),
    ...(own?.offset === place.offset && { previousAtMs: own.previousAtMs }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
    ...(except && except.length > 0 && { except }),
  };
}
