import { mapAll } from '../../shared/async.ts';
import type { Draft } from '../../shared/data/sequence/draft.ts';
import { type SequenceDeps, type Sequenced, sequence } from '../../shared/data/sequence/sequence.ts';
import { keepsHistory, type Namespaces, namespaceOf } from '../../shared/protocol/namespaces.ts';
import {
  expiryOf,
  type LoggedPlace,
  type Publication,
  type Target,
} from '../../shared/protocol/publication.ts';
import type { Topic } from '../../shared/protocol/topic.ts';
import { messagesTo } from '../../shared/queues/messages.ts';
import { isRandom } from './keys.ts';

/** What writing to the logs needs. */
export interface LogDeps extends SequenceDeps {
  readonly namespaces: Namespaces;
  /** The table that the logs are in. */
  readonly logTable: string;
}

/** A message of a publication to one of its targets, which keeps history. */
interface LoggedDraft extends Draft {
  readonly topic: Topic;
  readonly target: Target;
}

const TOPICS_IN_FLIGHT_MAX = 10;

/**
 * Publications, of one payload each, with the places that their messages got in the logs of their topics. All of them
 * are of one frame, and keep their order on each topic.
 */
export async function logAll(publications: readonly Publication[], deps: LogDeps): Promise<Publication[]> {
  const drafts = publications.flatMap((publication) =>
    draftsOf(publication, { source: publications, namespaces: deps.namespaces }),
  );
  if (drafts.length === 0) return [...publications];
  const byTopic = [...Map.groupBy(drafts, ({ topic }) => topic)];
  const places = new Map<Target, LoggedPlace>();
  await mapAll(byTopic, TOPICS_IN_FLIGHT_MAX, async ([topic, ofTopic]) => {
    const namespace = namespaceOf(topic, deps.namespaces);
    if (!keepsHistory(namespace)) return; // there are no drafts of such
    const sequenced = await sequence(topic, ofTopic, namespace, deps);
    for (const [index, { target }] of ofTopic.entries()) {
      places.set(target, placeOf(sequenced[index] as Sequenced)); // one for each draft
    }
  });
  return publications.map((publication) => withPlaces(publication, places, deps.logTable));
}

function draftsOf(
  publication: Publication,
  { source, namespaces }: { readonly source: object; readonly namespaces: Namespaces },
): LoggedDraft[] {
  const { targets, payloads, except } = publication;
  const expiresAtMs = expiryOf(publication);
  return targets.flatMap((target) => {
    if (!('topic' in target) || !keepsHistory(namespaceOf(target.topic, namespaces))) return [];
    return messagesTo(target, publication).map((message, index): LoggedDraft => {
      const { messageId = '', key, version } = payloads[index] ?? {};
      return {
        topic: target.topic,
        target,
        source,
        message,
        acceptedAtMs: Date.parse(publication.publishedAt), // which this route has written
        origin: messageId,
        mayBeRepeated: key !== undefined && !isRandom(key),
        // API Gateway invokes a route once: without a key nothing can bring the same message again.
        needsClaim: key !== undefined,
        ...(version !== undefined && { version }),
        ...(expiresAtMs !== undefined && { expiresAtMs }),
        ...(except && { except }),
      };
    });
  });
}

/** A repeated message goes on the bus all the same: whoever brought it there may have died before that. */
const placeOf = (sequenced: Sequenced): LoggedPlace =>
  sequenced.outcome === 'stale'
    ? { dropped: 'stale' }
    : {
        epoch: sequenced.epoch,
        offset: sequenced.entry.offset,
        ...(sequenced.outcome === 'repeated' && { again: true }),
        ...(sequenced.unused !== undefined && { unused: sequenced.unused }),
      };

function withPlaces(
  publication: Publication,
  found: ReadonlyMap<Target, LoggedPlace>,
  table: string,
): Publication {
  const places = publication.targets.map((target) => {
    const place = found.get(target);
    return place ? [place] : null;
  });
  return places.every((place) => place === null)
    ? publication
    : { ...publication, logged: { table, places } };
}
