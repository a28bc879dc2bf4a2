import { mapAll } from '../../async.ts';
import type { HistoryNamespace } from '../../protocol/namespaces.ts';
import type { Topic } from '../../protocol/topic.ts';
import type { Claim, Log, LogEntry, Logs } from '../log.ts';
import { type Draft, firstOfEach, idOf, isSameMessage } from './draft.ts';
import { allocateAll } from './places.ts';
import { beginSettling, isClaimOf, type SettleDeps, type Settled, type Settling, settle } from './settle.ts';

/** What sequencing needs. */
export interface SequenceDeps {
  readonly logs: SettleDeps['logs'] & Pick<Logs, 'open' | 'putLast'>;
  /** The epochs that this worker knows. If one is out of date, the log refuses it and it is looked up again. */
  readonly epochs: Map<Topic, string>;
  readonly newId: () => string;
  readonly now: () => number;
}

/**
 * What became of a draft: `stored`, perhaps by an earlier try that did not get as far as delivering it; `repeated`,
 * when another publication with the same key has brought it; `stale`, when the topic has had a newer version.
 */
export type Sequenced =
  | {
      readonly outcome: 'stored' | 'repeated';
      readonly epoch: string;
      readonly entry: LogEntry;
      /** See `Settled`. */
      readonly unused?: number;
    }
  | { readonly outcome: 'stale' };

/** How often a log may be replaced by a new one while messages are sequenced in it. */
const LOGS_MAX = 8;
const WRITES_IN_FLIGHT_MAX = 10;
const EPOCHS_MAX = 10_000;

/**
 * Gives messages to a topic their offsets, and writes them to its log, before subscribers are looked up.
 *
 * 1. Offsets are allocated. If this worker dies now they are holes, which readers turn into tombstones.
 * 2. Each message claims its offset: from now on a worker that gets it again finds where it belongs.
 * 3. It is written there, unless a reader did not wait and wrote a tombstone: then it needs another offset.
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

/**
 * Drafts in rounds in which an id is one message: if a queue was held up, a batch may hold a key that was published
 * twice, the second time so late that it is another message.
 */
function roundsOf(drafts: readonly Draft[]): Draft[][] {
  const rounds: Draft[][] = [];
  for (let rest = drafts; rest.length > 0; ) {
    const firsts = firstOfEach(rest);
    const { round = [], later = [] } = Object.groupBy(rest, (draft) => {
      const first = firsts.get(idOf(draft)) ?? draft;
      return first === draft || isSameMessage(draft, first.acceptedAtMs) ? 'round' : 'later';
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
  const { logs, now, epochs } = deps;
  const distinct = [...firstOfEach(drafts).values()];
  for (let tries = 0; tries < LOGS_MAX; tries++) {
    const log = { topic, epoch: await epochOf(topic, deps) };
    const settled = await settleAll(distinct, { log, namespace, logs, now });
    if (settled === 'replaced') {
      epochs.delete(topic);
      continue;
    }
    if (namespace.lastValue) await keepLast([...settled.values()], log, logs);
    return outcomesOf(drafts, settled, log.epoch);
  }
  throw new Error(`expected the log of ${topic} to stay the same, got a new one ${LOGS_MAX} times`);
}

async function epochOf(topic: Topic, { epochs, logs, newId }: SequenceDeps): Promise<string> {
  const known = epochs.get(topic);
  if (known !== undefined) return known;
  const { epoch } = await logs.open(topic, newId());
  if (epochs.size >= EPOCHS_MAX) epochs.clear();
  epochs.set(topic, epoch);
  return epoch;
}

/** Where each message is, by its id. */
async function settleAll(
  drafts: readonly Draft[],
  deps: SettleDeps,
): Promise<Map<string, Settled> | 'replaced'> {
  const suspects = drafts.filter(({ mayBeRepeated }) => mayBeRepeated).map(idOf);
  const claims = suspects.length > 0 ? await deps.logs.claims(deps.log, suspects) : new Map<string, Claim>();
  const unclaimed = drafts.filter((draft) => !isClaimOf(draft, claims.get(idOf(draft))));
  const places = await allocateAll(unclaimed, deps);
  if (places === 'replaced') return places;
  const begun = await mapAll(drafts, WRITES_IN_FLIGHT_MAX, (draft) =>
    beginSettling(draft, claims.get(idOf(draft)), places.get(draft), deps),
  );
  const bySource = Map.groupBy(
    drafts.map((draft, index) => ({ draft, state: begun[index] as Settling })), // one for each
    ({ draft }) => draft.source,
  );
  const results = await mapAll([...bySource.values()], WRITES_IN_FLIGHT_MAX, (ofSource) =>
    settleInOrder(ofSource, deps),
  );
  const settled = new Map<string, Settled>();
  for (const result of results) {
    if (result === 'replaced') return result;
    for (const [id, each] of result) settled.set(id, each);
  }
  return settled;
}

/**
 * One after the other: if a reader writes a tombstone where a message was to go, so that it has to take a later offset,
 * then none of those after it has been written yet, and they take later ones, too.
 */
async function settleInOrder(
  begun: readonly { readonly draft: Draft; readonly state: Settling }[],
  deps: SettleDeps,
): Promise<Map<string, Settled> | 'replaced'> {
  const settled = new Map<string, Settled>();
  let above = 0;
  for (const { draft, state } of begun) {
    const result = await settle(draft, state, above, deps);
    if (result === 'replaced') return result;
    settled.set(idOf(draft), result);
    if (result !== 'stale' && result.origin === draft.origin) above = Math.max(above, result.entry.offset);
  }
  return settled;
}

async function keepLast(settled: readonly Settled[], log: Log, logs: SequenceDeps['logs']): Promise<void> {
  const entries = settled.flatMap((each) => (each === 'stale' ? [] : each.entry));
  const last = entries.toSorted((a, b) => a.offset - b.offset).at(-1);
  if (last) await logs.putLast(log, last);
}

/**
 * A message is `stored` for the publication that brought it there, and for that once in a batch. An offset that it took
 * in vain is told with the first of its drafts.
 */
function outcomesOf(
  drafts: readonly Draft[],
  settled: ReadonlyMap<string, Settled>,
  epoch: string,
): Sequenced[] {
  const seen = new Set<string>();
  const stored = new Set<string>();
  return drafts.map((draft) => {
    const id = idOf(draft);
    const where = settled.get(id) as Settled; // its first was settled
    if (where === 'stale') return { outcome: 'stale' };
    const { origin, entry, unused } = where;
    const isStored = origin === draft.origin && !stored.has(id);
    if (isStored) stored.add(id);
    const isTold = unused === undefined || seen.has(id);
    seen.add(id);
    return {
      outcome: isStored ? 'stored' : 'repeated',
      epoch,
      entry,
      ...(!isTold && { unused }),
    };
  });
}
