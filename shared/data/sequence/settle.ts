import { type Claim, entryJson, type LogEntry, type Logs } from '../log.ts';
import { type OwnOffset, readOrRefuse, write, writeFirst } from './decide.ts';
import { type Draft, idOf, isSameMessage } from './draft.ts';
import { type Allocated, allocate, type PlaceDeps } from './places.ts';

/** What settling needs. */
export interface SettleDeps extends PlaceDeps {
  readonly logs: PlaceDeps['logs'] & Pick<Logs, 'claim'>;
}

/** Where a message is, and the publication that brought it there; `stale` if the topic has had a newer version. */
export type Settled =
  | {
      readonly origin: string;
      readonly entry: LogEntry;
      /** An offset that was allocated for the message in vain: a tombstone is there. */
      readonly unused?: number;
    }
  | 'stale';

/**
 * How a message gets to its one offset, although other workers may have it at the same time and readers write
 * tombstones at offsets that stay undecided for long. Each decision is a conditional write that the first one wins.
 *
 *   state      what is known                        what happens                           next
 *   ---------  -----------------------------------  -------------------------------------  -------------------------
 *   unclaimed  no claim is this message's, or it    the unused offset, or else a new one,  claimed, by this worker
 *              claims an offset with a tombstone    is claimed                             or by one that was faster
 *   unclaimed  the topic has had a newer version,   that it is stale is claimed            ended, or claimed by one
 *              so that it gets no offset                                                   that was faster
 *   claimed    that it is stale                     nothing                                ended
 *   claimed    an offset, by this publication       the message is written there           ended, or unclaimed if
 *                                                                                          there is a tombstone
 *   claimed    an offset that is not above those    a tombstone is written there           unclaimed
 *              of the messages before it
 *   claimed    an offset, by another publication    the entry is read, or if there is      ended, or unclaimed if
 *              with the same key                    none, a tombstone is written there     there is a tombstone
 *   ended      where the message is, or is stale    a tombstone is written at an offset    none
 *                                                   that stayed unused, so that readers
 *                                                   do not wait for it
 *
 * It also ends when the log turns out to have been replaced: then all of this is done again in the new one.
 */
export type Settling = Unclaimed | Claimed | Ended;

interface Unclaimed {
  readonly is: 'unclaimed';
  /** The claim that the next one takes the place of. */
  readonly replaces: Claim | undefined;
  /** What has been allocated for the message and is not claimed. */
  readonly unused: Allocated | undefined;
}
interface Claimed {
  readonly is: 'claimed';
  readonly claim: Claim;
  readonly unused: Allocated | undefined;
  /** When the offset below the claimed one was allocated: known if this worker has allocated that one. */
  readonly previousAtMs?: number;
}
interface Ended {
  readonly is: 'ended';
  readonly result: Settled | 'replaced';
}

/** A try fails when another worker or a reader was faster. */
const TRIES_MAX = 8;

/** Claims the offset that has been `allocated` for a message, unless something better is `known` of it. */
export async function beginSettling(
  draft: Draft,
  known: Claim | undefined,
  allocated: Allocated | undefined,
  deps: SettleDeps,
): Promise<Settling> {
  const state = stateAfter(draft, known, allocated);
  return state.is === 'unclaimed' && allocated ? claimOffset(draft, state, 0, deps) : state;
}

/** Brings a message to its offset, which is above `above` unless the message has one already. */
export async function settle(
  draft: Draft,
  begun: Settling,
  above: number,
  deps: SettleDeps,
): Promise<Settled | 'replaced'> {
  let state = begun;
  for (let tries = 1; tries < TRIES_MAX; tries++) {
    if (state.is === 'claimed') state = await decideOffset(draft, state, above, deps);
    if (state.is === 'ended') return state.result;
    if (state.is === 'unclaimed') state = await claimOffset(draft, state, above, deps);
  }
  throw new Error(`expected to settle message ${idOf(draft)} in ${TRIES_MAX} tries, got overtaken each time`);
}

/** Whether a claim with the draft's id is this message's, not that of an older message with the same key. */
export const isClaimOf = (draft: Draft, claim: Claim | undefined): claim is Claim =>
  claim !== undefined && isSameMessage(draft, claim.acceptedAtMs);

const stateAfter = (
  draft: Draft,
  known: Claim | undefined,
  unused: Allocated | undefined,
): Unclaimed | Claimed =>
  isClaimOf(draft, known)
    ? { is: 'claimed', claim: known, unused: isAt(known.offset, unused) ? undefined : unused }
    : { is: 'unclaimed', replaces: known, unused };

/** A claim that got no answer may have been made all the same. */
const isAt = (offset: Claim['offset'], allocated: Allocated | undefined): boolean =>
  allocated !== undefined && allocated !== 'stale' && allocated.offset === offset;

async function claimOffset(
  draft: Draft,
  { replaces, unused }: Unclaimed,
  above: number,
  deps: SettleDeps,
): Promise<Settling> {
  const { log, logs, now } = deps;
  const isTooLow = unused !== undefined && unused !== 'stale' && unused.offset <= above;
  if (isTooLow) await giveUp(unused, deps);
  const place = (isTooLow ? undefined : unused) ?? (await allocate(draft, deps));
  if (place === 'replaced') return { is: 'ended', result: place };
  const own: Claim = {
    origin: draft.origin,
    acceptedAtMs: draft.acceptedAtMs,
    // Staleness is claimed, too, because another worker may be about to store the message.
    ...(place === 'stale' ? { offset: place, atMs: now() } : { offset: place.offset, atMs: place.atMs }),
  };
  const isFirst = !draft.needsClaim || (await logs.claim(log, idOf(draft), own, replaces?.offset));
  if (!isFirst) {
    const claims = await logs.claims(log, [idOf(draft)]);
    return stateAfter(draft, claims.get(idOf(draft)), place);
  }
  return place === 'stale'
    ? { is: 'ended', result: place }
    : {
        is: 'claimed',
        claim: own,
        unused: undefined,
        ...(place.previousAtMs !== undefined && { previousAtMs: place.previousAtMs }),
      };
}

async function decideOffset(
  draft: Draft,
  state: Claimed,
  above: number,
  deps: SettleDeps,
): Promise<Unclaimed | Ended> {
  const { claim, unused } = state;
  const result = await resultOf(draft, state, above, deps);
  if (!result) return { is: 'unclaimed', replaces: claim, unused };
  if (!unused || unused === 'stale') return { is: 'ended', result };
  await giveUp(unused, deps);
  return { is: 'ended', result: result === 'stale' ? result : { ...result, unused: unused.offset } };
}

/** A tombstone, so that readers do not wait for the offset that is not needed. */
const giveUp = ({ offset, atMs }: OwnOffset, deps: SettleDeps): Promise<boolean> =>
  write({ offset, atMs }, deps);

/** What the claim has come to: undefined if there is a tombstone at its offset. */
async function resultOf(
  draft: Draft,
  { claim: { offset, origin, atMs }, previousAtMs }: Claimed,
  above: number,
  deps: SettleDeps,
): Promise<Settled | undefined> {
  if (offset === 'stale') return offset;
  const isToBeWritten = origin === draft.origin && offset > above;
  const entry = isToBeWritten
    ? await writeFirst(entryFor(draft, { offset, atMs }, previousAtMs), deps)
    : await readOrRefuse({ offset, atMs }, deps);
  return entry?.json === undefined ? undefined : { origin, entry };
}

function entryFor(
  { message, expiresAtMs, except }: Draft,
  place: Pick<OwnOffset, 'offset' | 'atMs'>,
  previousAtMs: number | undefined,
): LogEntry {
  return {
    ...place,
    json: entryJson(message, place.offset),
    ...(previousAtMs !== undefined && { previousAtMs }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
    ...(except && except.length > 0 && { except }),
  };
}
