import { badRequest } from './errors.ts';
import type { Recipient } from './frames.ts';
import { escapeSegment } from './segment.ts';
import { isPatternName, isTopicName, patternsCovering, type Topic } from './topic.ts';

export const OPERATIONS = ['subscribe', 'publish', 'history', 'presence', 'send', 'version'] as const;
export type Operation = (typeof OPERATIONS)[number];

/**
 * Who may do what. Everything is compared as it is written, upper and lower case apart. The keys:
 * - `chat/lobby`: this topic and no other.
 * - `chat/*`: the topic `chat` and all below it, as the subscription `chat/*` gets them. Only such a right, or a wider
 *   one, allows that subscription.
 * - `*`: every topic.
 * - `/users/alice`, `/users/*`, `/connections/*`: whom one may `send` to, which is all that these keys allow and allowed
 *   by no others. No topic begins with `/`. An id is escaped as `escapeSegment` does it.
 *
 * In settings a key may hold placeholders, `{name}`, for claims of the token: see `fillRights`.
 */
export type Rights = Readonly<Record<string, readonly Operation[]>>;

/**
 * Patterns of one object of rights. It bounds what a connection carries with it; to look a topic up takes no longer with
 * more of them.
 */
export const RIGHTS_PATTERNS_MAX = 100;
/** A topic has at most 128; a user id of as many becomes longer when it is escaped, and names of claims may be URLs. */
const PATTERN_LENGTH_MAX = 512;

const EVERY_TOPIC = '*';
const RECIPIENT = /^\/(?:users|connections)\/(?:\*|[A-Za-z0-9_.~:@-]+)$/;
/** Claims may have names like `https://example.com/tenant`. */
const PLACEHOLDER = /\{([A-Za-z0-9_.:/#@-]+)\}/g;

/** The rights in a token, and those of everybody without one. */
export const parseRights = (value: unknown, what: string): Rights =>
  parseEach(value, what, (key) => {
    if (/[{}]/.test(key))
      throw badRequest(`${what} to have no placeholders, which only auth.rights may have`, key);
    expectKey(key, key, what);
  });

/** The rights that settings give to everybody with a token, with placeholders for its claims. */
export const parseRightsTemplate = (value: unknown, what: string): Rights =>
  parseEach(value, what, (key) => {
    expectKey(key, key.replace(PLACEHOLDER, 'x'), what);
    const segments = key.replace(PLACEHOLDER, '{').split('/'); // every brace was one of a placeholder
    if (segments[0]?.includes('{')) {
      throw badRequest(
        `${what} to have no placeholder in a namespace, whose settings a claim would choose`,
        key,
      );
    }
    // A name can end where the next begins, so two would make one segment of several pairs of claims.
    if (segments.some((segment) => segment.split('{').length > 2)) {
      throw badRequest(`${what} to have at most one placeholder in a segment`, key);
    }
  });

/**
 * Fills in verified claims, each as a part of one segment: it is escaped, so no claim reaches another topic than its own.
 * A pattern is left out if its claim is missing, or is neither a text nor a whole number (which counts as its digits), or
 * makes the topic too long.
 */
export const fillRights = (rights: Rights, claims: Readonly<Record<string, unknown>>): Rights =>
  rightsOf(
    Object.entries(rights).flatMap(([key, operations]) => {
      const filled = fill(key, claims);
      return filled === undefined ? [] : [[filled, operations] as const];
    }),
  );

/** What one of them allows. */
export const mergeRights = (a: Rights, b: Rights): Rights =>
  rightsOf([...Object.entries(a), ...Object.entries(b)]);

/**
 * Whether they allow it on a topic, on the whole subtree of a pattern, or on what `recipientPath` answers. A look-up for
 * each key that covers it: at most 7, however many rights there are.
 */
export const permits = (rights: Rights, operation: Operation, target: string): boolean =>
  keysCovering(target).some((key) => Object.hasOwn(rights, key) && rights[key]?.includes(operation));

/** What `send` is a right to: `permits(rights, 'send', recipientPath(to))`. A user's id is escaped as it is. */
export const recipientPath = (to: Recipient): string =>
  'userId' in to ? `/users/${to.userId}` : `/connections/${escapeSegment(to.connectionId)}`;

function parseEach(value: unknown, what: string, expectPattern: (key: string) => void): Rights {
  if (!isPlainObject(value)) throw badRequest(`${what} to be an object of topic patterns`, value);
  const entries = Object.entries(value);
  if (entries.length > RIGHTS_PATTERNS_MAX) {
    throw badRequest(`${what} to have at most ${RIGHTS_PATTERNS_MAX} patterns`, entries.length);
  }
  return rightsOf(
    entries.map(([key, operations]) => {
      expectPattern(key);
      return [key, parseOperations(operations, key, what)] as const;
    }),
  );
}

/** A literal with `__proto__: …` is none: it has a prototype, and lacks the topic that was meant. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function parseOperations(value: unknown, key: string, what: string): readonly Operation[] {
  if (!Array.isArray(value)) throw badRequest(`${what} to have a list of operations for ${key}`, value);
  // The key decides: one sends to recipients and does everything else with topics.
  const possible = OPERATIONS.filter((operation) => (operation === 'send') === key.startsWith('/'));
  for (const operation of value) {
    if (possible.includes(operation)) continue;
    throw badRequest(`${what} to list no operations for ${key} but ${possible.join(', ')}`, operation);
  }
  return value;
}

function expectKey(key: string, sample: string, what: string): void {
  if (key.length > PATTERN_LENGTH_MAX) {
    throw badRequest(`${what} to have patterns of at most ${PATTERN_LENGTH_MAX} characters`, key.length);
  }
  if (!isKey(sample)) {
    throw badRequest(`${what} to have patterns like chat/lobby, chat/*, *, /users/* or /connections/*`, key);
  }
}

const isKey = (key: string): boolean => key === EVERY_TOPIC || isPatternName(key) || RECIPIENT.test(key);

function fill(key: string, claims: Readonly<Record<string, unknown>>): string | undefined {
  const filled = key.replace(PLACEHOLDER, (placeholder, name: string) => {
    const text = Object.hasOwn(claims, name) ? textOf(claims[name]) : undefined;
    return text === undefined ? placeholder : escapeSegment(text); // no key holds braces
  });
  return filled.length <= PATTERN_LENGTH_MAX && isKey(filled) ? filled : undefined;
}

/** Beyond the safe whole numbers, several of a token's numbers are read as the same. */
function textOf(claim: unknown): string | undefined {
  if (Number.isSafeInteger(claim)) return String(claim);
  return typeof claim === 'string' && claim !== '' && claim.isWellFormed() ? claim : undefined;
}

function keysCovering(target: string): readonly string[] {
  if (RECIPIENT.test(target)) return [target, target.replace(/[^/]+$/, '*')];
  if (isTopicName(target)) return [EVERY_TOPIC, ...patternsCovering(target)];
  if (!isPatternName(target)) return [];
  const [, ...wildcards] = patternsCovering(target.slice(0, -'/*'.length) as Topic);
  return [EVERY_TOPIC, ...wildcards];
}

/** A topic may be called `__proto__`: `fromEntries` makes it a key like any other. */
function rightsOf(entries: Iterable<readonly [string, readonly Operation[]]>): Rights {
  const byKey = new Map<string, Set<Operation>>();
  for (const [key, operations] of entries) {
    byKey.set(key, (byKey.get(key) ?? new Set()).union(new Set(operations)));
  }
  return Object.fromEntries(Array.from(byKey, ([key, operations]) => [key, [...operations]]));
}
