import { mapAll } from '../../shared/async.ts';
import type { RightsGuard } from '../../shared/auth/guard.ts';
import { publisherOf } from '../../shared/auth/publisher.ts';
import type { Logs } from '../../shared/data/log.ts';
import type { RouteInput } from '../../shared/lambda/route.ts';
import type { CommandLimits } from '../../shared/limits/limits.ts';
import { type AckFrame, type Acks, ack } from '../../shared/protocol/acks.ts';
import { ClientError, describe, ErrorCode } from '../../shared/protocol/errors.ts';
import { Action, type Place, SELF } from '../../shared/protocol/frames.ts';
import { keepsHistory, type Namespaces, namespaceOf } from '../../shared/protocol/namespaces.ts';
import type { PublishFrame } from '../../shared/protocol/parse.ts';
import { expectAllowed, type LoggedPlace, type Publication } from '../../shared/protocol/publication.ts';
import type { Bus } from '../../shared/queues/bus.ts';
import { messagesTo } from '../../shared/queues/messages.ts';
import { ownKey } from './keys.ts';
import { type LogDeps, logAll } from './log.ts';

export interface PublishDeps extends LogDeps {
  readonly bus: Bus;
  readonly namespaces: Namespaces;
  readonly guard: RightsGuard;
  readonly logs: LogDeps['logs'] & Pick<Logs, 'head'>;
  readonly limits: Pick<CommandLimits<never>, 'take' | 'counts'>;
}

/**
 * Writes messages to the logs of their topics, if these keep history, and puts them on the bus. It waits for nothing
 * else: no subscriber can delay a publisher. The messages have their offsets before the publisher gets its answer, so
 * that what it publishes next comes after them, whatever way the bus takes.
 */
export async function publish(
  input: RouteInput<PublishFrame>,
  deps: PublishDeps,
): Promise<AckFrame<'publish'>> {
  const { frame } = input;
  await expectRights(input, deps.guard);
  const given = publicationsOf(input, deps);
  for (const publication of given) expectMayPublish(publication, deps.namespaces);
  await takeNewTopics(input, given, deps);
  const publications = await logAll(given, deps);
  await deps.bus.publish(mergeNeighbours(publications));
  return ack(Action.publish, frame, answerTo(frame, publications));
}

/** A version may keep others' messages out of a topic for as long as its log lives, so it is a right of its own. */
async function expectRights(input: RouteInput<PublishFrame>, guard: RightsGuard): Promise<void> {
  for (const { topics, version } of input.frame.messages) {
    for (const topic of topics) {
      await guard.expectMay(input, 'publish', topic);
      if (version !== undefined) await guard.expectMay(input, 'version', topic);
    }
  }
}

/** One for each message of the frame. */
function publicationsOf(
  input: RouteInput<PublishFrame>,
  { now, newId }: Pick<PublishDeps, 'now' | 'newId'>,
): Publication[] {
  const { connectionId, bearer, frame } = input;
  const publishedAt = new Date(now()).toISOString();
  const publisher = publisherOf(input);
  return frame.messages.map(({ topics, data, key, family, version, maxAge, except, receipt }) => ({
    targets: topics.map((topic) => ({ topic })),
    payloads: [
      {
        data,
        messageId: newId(),
        ...(key !== undefined && { key: ownKey(key, { connectionId, userId: bearer?.userId, family }) }),
        ...(version !== undefined && { version }),
      },
    ],
    publishedAt,
    publisher,
    ...(maxAge !== undefined && { maxAge }),
    ...(except && { except: except === SELF ? [connectionId] : except }),
    ...(receipt && { receipt: { connectionId, ...(frame.id && { id: frame.id }) } }),
  }));
}

function expectMayPublish(publication: Publication, namespaces: Namespaces): void {
  for (const target of publication.targets) {
    if ('topic' in target && !namespaceOf(target.topic, namespaces).clientPublish) {
      throw new ClientError(
        ErrorCode.forbidden,
        `expected a topic that clients may publish to, got ${describe(target.topic)}`,
      );
    }
  }
  expectAllowed(publication, namespaces);
}

const HEADS_IN_FLIGHT_MAX = 10;

/** A topic without a log gets one, which lasts for 30 days: all are counted before the first of them is made. */
async function takeNewTopics(
  input: RouteInput<PublishFrame>,
  publications: readonly Publication[],
  { limits, logs, epochs, namespaces }: PublishDeps,
): Promise<void> {
  if (!limits.counts('topics')) return;
  const targets = publications.flatMap(({ targets }) => targets);
  const topics = new Set(targets.flatMap((target) => ('topic' in target ? target.topic : [])));
  const unknown = [...topics].filter(
    (topic) => keepsHistory(namespaceOf(topic, namespaces)) && !epochs.has(topic),
  );
  const heads = await mapAll(unknown, HEADS_IN_FLIGHT_MAX, (topic) => logs.head(topic));
  await limits.take(input, { topics: heads.filter((head) => head === undefined).length });
}

/**
 * Neighbours that differ in nothing but their data travel in one event: it costs one, and they stay in order and
 * reach each subscriber in one frame.
 */
function mergeNeighbours(publications: readonly Publication[]): Publication[] {
  const merged: Publication[] = [];
  for (const publication of publications) {
    const last = merged.at(-1);
    if (last && withoutPayloads(last) === withoutPayloads(publication)) {
      merged[merged.length - 1] = mergeTwo(last, publication);
    } else merged.push(publication);
  }
  return merged;
}

const withoutPayloads = ({ payloads: _, logged: __, ...rest }: Publication): string => JSON.stringify(rest);

/** They have the same targets, so that the same of them keep history. */
function mergeTwo(one: Publication, other: Publication): Publication {
  const payloads = [...one.payloads, ...other.payloads];
  if (!one.logged || !other.logged) return { ...one, payloads };
  const { places: more } = other.logged;
  const places = one.logged.places.map(
    (ofTarget, index) => ofTarget && [...ofTarget, ...(more[index] ?? [])],
  );
  return { ...one, payloads, logged: { ...one.logged, places } };
}

/** The id of each message to each topic, and its place if the topic keeps history. */
function answerTo(frame: PublishFrame, publications: readonly Publication[]): Acks['publish'] {
  const messages = publications.flatMap((publication) =>
    publication.targets.flatMap((target, index) => {
      const places = publication.logged?.places[index];
      return messagesTo(target, publication).map(({ messageId }, n) => ({ messageId, place: places?.[n] }));
    }),
  );
  if (!frame.batch) {
    const [{ messageId, place } = { messageId: '' }] = messages; // one message to one topic
    return { messageId, ...(place && publicPlace(place)) };
  }
  const messageIds = messages.map(({ messageId }) => messageId);
  if (messages.every(({ place }) => place === undefined)) return { messageIds };
  return { messageIds, places: messages.map(({ place }) => (place ? publicPlace(place) : null)) };
}

const publicPlace = (place: LoggedPlace): Place =>
  'dropped' in place ? place : { epoch: place.epoch, offset: place.offset };
