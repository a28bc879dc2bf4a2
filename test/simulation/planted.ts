import type { Mutant } from './mutants.ts';

/** Bugs that are planted in the source. */

const inFile = (file: string, find: string, replace: string): Mutant => ({ plant: { file, find, replace } });

export const PLANTED: Readonly<Record<string, Mutant>> = {
  /** What has a maxAge is not posted in its last minute. */
  ageCutShort: inFile(
    'shared/delivery/frames.ts',
    'if (expiresAtMs <= nowMs) {',
    'if (expiresAtMs - 60_000 <= nowMs) {',
  ),

  /** In the client a wildcard covers topics of which it is only the beginning of a segment. */
  wildcardOfPrefix: inFile(
    'shared/client/client.ts',
    'return patternsCovering(topic).flatMap((pattern) => [...(this.#feeds.get(pattern) ?? [])]);',
    `return [...this.#feeds].flatMap(([pattern, feeds]) =>
      pattern === topic || (pattern.endsWith('/*') && topic.startsWith(pattern.slice(0, -2))) ? [...feeds] : []);`,
  ),

  /** The first failure is the last. */
  buriedAtOnce: inFile(
    'shared/delivery/leftovers.ts',
    'if (attempt >= deps.attemptsMax)',
    'if (attempt >= 1)',
  ),

  /** A connection that is throttled once is given up. */
  throttledBuried: inFile(
    'shared/delivery/leftovers.ts',
    'if (throttledMs >= THROTTLED_MINUTES_MAX * 60_000)',
    'if (throttledMs >= 0)',
  ),

  /** Claims have another key than in the version before. */
  claimsElsewhere: {
    mode: 'upgrade',
    ...inFile('shared/data/tables.ts', '#$' + '{messageId}', '#claim#$' + '{messageId}'),
  },

  /** A key counts by the clock of its publisher. */
  keysByPublisher: inFile(
    'services/fanout/parse.ts',
    'acceptedAtMs: acceptedAtMs(envelope, record),',
    'acceptedAtMs: Date.parse(publication.publishedAt),',
  ),

  /** A key is anybody's. */
  keysOfAll: inFile(
    'services/publish/keys.ts',
    '.update(JSON.stringify([...ownerOf(key, publisher), key]))',
    '.update(key)',
  ),

  /** A key is its connection's, which is another when the SDK tries again. */
  keysOfConnections: inFile(
    'services/publish/keys.ts',
    "if (family !== undefined) return ['family', family];",
    '',
  ),

  /** A publish is acknowledged before its message has an offset. */
  offsetAfterAck: inFile(
    'services/publish/publish.ts',
    'const publications = await logAll(given, deps);',
    'const publications = given;',
  ),

  /** What a worker could not do stays hidden until its visibility timeout ends. */
  failedStaysHidden: {
    mode: 'liveness',
    ...inFile(
      'shared/lambda/worker.ts',
      'if (records.length === 0) return;',
      'if (records.length >= 0) return;',
    ),
  },

  /** A rewind stops at a page of the log that is short. */
  shortRewind: inFile(
    'shared/data/replay.ts',
    'if (entries.length === 0) break;',
    'if (entries.length < READ_MAX) break;',
  ),

  /** A connection without a row goes on as if nothing were amiss. */
  unknownPinged: inFile(
    'services/ping/ping.ts',
    'if (!standing) throw givenUp();',
    'if (!standing) return ack(Action.ping, frame, {});',
  ),

  /** The next connection does not take the subscriptions over. */
  nextUnjoined: inFile(
    'shared/client/client.ts',
    'onRollover: (next) => this.#join(next),',
    'onRollover: () => {},',
  ),

  /** Nobody asks whether a quiet topic has gone on. */
  quietUnasked: inFile(
    'shared/client/client.ts',
    'quietPositions: () => this.#quietPositions(),',
    'quietPositions: () => [],',
  ),

  /** A position before a log that was to come means nothing once that has come. */
  comingUnknown: inFile('shared/data/coming-log.ts', 'return isFirst ?', 'return isFirst && !epoch ?'),

  /** Whoever looks for a log begins one. */
  readerBegins: inFile(
    'shared/data/coming-log.ts',
    'const found = await logs.head(topic);',
    'const found = await (logs as Heads).open(topic, String(nowMs));',
  ),

  /** A right to one topic is one to all that is below it. */
  wildcardWidened: {
    mode: 'rights',
    ...inFile(
      'shared/protocol/rights.ts',
      'const [, ...wildcards] = patternsCovering(',
      'const wildcards = patternsCovering(',
    ),
  },

  /** What was allowed once is allowed for as long as the connection lasts, which nobody closes. */
  tokenForEver: {
    mode: 'rights',
    ...inFile(
      'shared/lambda/bearer.ts',
      'expiresAt === undefined ? Infinity : Number(expiresAt) * 1000',
      'expiresAt === undefined ? Infinity : Infinity',
    ),
  },

  /** A token that was revoked opens the next connection. */
  revokedTaken: {
    mode: 'rights',
    ...inFile(
      'services/connect/connect.ts',
      'if (!(await revocations.isRevoked(token))) return;',
      'if (revocations) return;',
    ),
  },

  /** A last value is replayed that comes live, too. */
  lastTwice: {
    mode: 'swarm',
    ...inFile(
      'services/subscribe/catch-up.ts',
      'json !== undefined && offset <= page.offset',
      'json !== undefined',
    ),
  },
};
