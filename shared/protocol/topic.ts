import { badRequest } from './errors.ts';

declare const topicBrand: unique symbol;
declare const patternBrand: unique symbol;

/** Something to publish to: 1 to 5 segments joined by `/`; the first is the namespace. */
export type Topic = string & { readonly [topicBrand]: true };
/** Something to subscribe to: a topic, or a topic followed by `/*`, which covers its whole subtree. */
export type Pattern = string & { readonly [patternBrand]: true };

const TOPIC_LENGTH_MAX = 128;
const TOPIC_SEGMENTS_MAX = 5;
const SEGMENT = /^[A-Za-z0-9_.~:@-]+$/;
const WILDCARD = '/*';

export function parseTopic(value: unknown): Topic {
  if (typeof value !== 'string') throw badRequest('topic to be a string', value);
  if (value.length > TOPIC_LENGTH_MAX) {
    throw badRequest(`topic to have at most ${TOPIC_LENGTH_MAX} characters`, value.length);
  }
  const segments = value.split('/');
  if (segments.length > TOPIC_SEGMENTS_MAX) {
    throw badRequest(`topic to have 1 to ${TOPIC_SEGMENTS_MAX} segments joined by '/'`, value);
  }
  if (!segments.every((segment) => SEGMENT.test(segment))) {
    throw badRequest('every topic segment to be one or more of A-Z a-z 0-9 _ . ~ : @ -', value);
  }
  return value as Topic;
}

export function parsePattern(value: unknown): Pattern {
  if (typeof value === 'string' && value.endsWith(WILDCARD)) {
    parseTopic(value.slice(0, -WILDCARD.length));
    return value as Pattern;
  }
  if (typeof value === 'string' && value.includes('*')) {
    throw badRequest("'*' only as the last segment of a topic", value);
  }
  return patternOf(parseTopic(value));
}

/** Whether it is one, without a word on what is wrong with it. */
export const isTopicName = (value: unknown): value is Topic => {
  if (typeof value !== 'string' || value.length > TOPIC_LENGTH_MAX) return false;
  const segments = value.split('/');
  return segments.length <= TOPIC_SEGMENTS_MAX && segments.every((segment) => SEGMENT.test(segment));
};

export const isPatternName = (value: unknown): value is Pattern =>
  isTopicName(
    typeof value === 'string' && value.endsWith(WILDCARD) ? value.slice(0, -WILDCARD.length) : value,
  );

export const isTopic = (pattern: Pattern): pattern is Pattern & Topic => !pattern.endsWith(WILDCARD);

/** The pattern of nothing but this topic. */
export const patternOf = (topic: Topic): Pattern => topic as string as Pattern;

/** Every pattern that covers `topic`: itself, and a wildcard at each of its k segments (k + 1 in all). */
export function patternsCovering(topic: Topic): Pattern[] {
  const segments = topic.split('/');
  const wildcards = segments.map((_, index) => segments.slice(0, index + 1).join('/') + WILDCARD);
  return [patternOf(topic), ...(wildcards as string[] as Pattern[])];
}
