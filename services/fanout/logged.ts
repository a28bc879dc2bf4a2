import { mapAll } from '../../shared/async.ts';
import { entryJson, type LogEntry, type Logs } from '../../shared/data/log.ts';
import { idOf } from '../../shared/data/sequence/draft.ts';
import type { Sequenced } from '../../shared/data/sequence/sequence.ts';
import type { Position } from '../../shared/protocol/frames.ts';
import type { LoggedPlace } from '../../shared/protocol/publication.ts';
import type { Topic } from '../../shared/protocol/topic.ts';
import type { TargetDraft } from './batch.ts';

/** What taking logged messages needs. */
export interface LoggedDeps {
  readonly logs: Pick<Logs, 'bring' | 'entry'>;
}

/** A message that the publish route has logged. */
type LoggedDraft = TargetDraft & { readonly place: LoggedPlace };

const BRINGS_IN_FLIGHT_MAX = 10;

/** Those of a batch are all alike. */
export const isLogged = (drafts: readonly TargetDraft[]): drafts is readonly LoggedDraft[] =>
  drafts.every(({ place }) => place !== undefined);

/**
 * What has become of messages that the publish route has logged. Their publisher may have published one again with its
 * key, because it got no answer: then it is on the bus twice, and the first that comes here is delivered.
 */
export const takeLogged = (
  topic: Topic,
  drafts: readonly LoggedDraft[],
  { logs }: LoggedDeps,
): Promise<Sequenced[]> =>
  mapAll(drafts, BRINGS_IN_FLIGHT_MAX, async (draft): Promise<Sequenced> => {
    const { place, isKeyed, origin } = draft;
    if ('dropped' in place) return { outcome: 'stale' };
    const { epoch, offset, again } = place;
    const log = { topic, epoch };
    const brings = !isKeyed || (await logs.bring(log, idOf(draft), offset, origin));
    // With the same key the data may be other data: what counts is what was logged.
    const logged = again && brings ? await logs.entry(log, offset) : entryOf(draft, place);
    const isStored = brings && logged?.json !== undefined;
    return { outcome: isStored ? 'stored' : 'repeated', epoch, entry: logged ?? entryOf(draft, place) };
  });

/** What the publish route wrote. */
const entryOf = (draft: TargetDraft, { offset }: Position): LogEntry => {
  const { message, acceptedAtMs, expiresAtMs, except } = draft;
  return {
    offset,
    json: entryJson(message, offset),
    atMs: acceptedAtMs,
    ...(expiresAtMs !== undefined && { expiresAtMs }),
    ...(except && { except }),
  };
};
