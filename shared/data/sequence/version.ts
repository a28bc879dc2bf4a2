import type { Holder } from '../heads.ts';
import { DELETED_AFTER_MS } from '../holes.ts';
import type { Logs } from '../log.ts';
import { type DecideDeps, type OwnOffset, readOrRefuse } from './decide.ts';
import { type Draft, idOf, isSameMessage } from './draft.ts';

/** What taking a version needs. */
export interface VersionDeps extends DecideDeps {
  readonly logs: DecideDeps['logs'] & Pick<Logs, 'allocateVersion' | 'claims'>;
  readonly now: () => number;
}

/** A try fails when another worker was faster. */
const TRIES_MAX = 8;

/**
 * A place for a draft with a version, unless the log is not the topic's any more. A version is of that message which is
 * in the log with it, and not of one for which it was taken and which is not there: whoever took it may have died, and
 * the publisher may have published the same as another message, on another connection or by way of older code.
 */
export async function allocateVersion(
  draft: Draft & { readonly version: number },
  deps: VersionDeps,
): Promise<OwnOffset | 'stale' | 'replaced'> {
  const { version, resets, acceptedAtMs } = draft;
  let insteadOf: number | undefined;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const atMs = deps.now();
    const message = { version, resets, messageId: idOf(draft), acceptedAtMs, insteadOf };
    const allocation = await deps.logs.allocateVersion(deps.log, message);
    if (allocation === undefined) return 'replaced';
    if (allocation === 'stale') return allocation;
    if ('first' in allocation) {
      return { offset: allocation.first, atMs, previousAtMs: allocation.previousAtMs };
    }
    const place = await placeBeside(allocation, draft, deps);
    if (place !== undefined) return place;
    insteadOf = allocation.offset;
  }
  throw new Error(`expected to compare version ${version} in ${TRIES_MAX} tries, got overtaken each time`);
}

/** What is left of a version that has been taken: undefined if its message is not where it was to be, nor will be. */
async function placeBeside(
  holder: Holder,
  draft: Draft,
  deps: VersionDeps,
): Promise<OwnOffset | 'stale' | undefined> {
  const { messageId, acceptedAtMs, offset, takenAtMs } = holder;
  const place = { offset, atMs: takenAtMs };
  if (messageId === idOf(draft) && isSameMessage(draft, acceptedAtMs)) {
    const entry = await deps.logs.entry(deps.log, offset);
    if (entry === undefined) return place; // and who claims it first decides it
    return entry.json === undefined ? undefined : 'stale';
  }
  // It may have been stored there, and deleted.
  if (takenAtMs < deps.now() - DELETED_AFTER_MS) return 'stale';
  const entry = await readOrRefuse(place, deps);
  return entry?.json !== undefined || (await isElsewhere(holder, deps)) ? 'stale' : undefined;
}

/** Older code takes another offset for a message without a word of it in the head. */
async function isElsewhere({ messageId, takenAtMs }: Holder, deps: VersionDeps): Promise<boolean> {
  const claim = (await deps.logs.claims(deps.log, [messageId])).get(messageId);
  if (!claim || claim.offset === 'stale' || claim.atMs <= takenAtMs) return false;
  const entry = await readOrRefuse({ offset: claim.offset, atMs: claim.atMs }, deps);
  return entry?.json !== undefined;
}
