import {
  EPOCH_LENGTH_MAX,
  EXCEPT_MAX,
  HISTORY_LIMIT_MAX,
  ID_LENGTH_MAX,
  MAX_AGE_SECONDS_MAX,
  REPLAY_MAX,
  SELF,
} from '../protocol/frames.ts';
import { isRecord } from '../protocol/json.ts';
import { isPatternName, isTopicName } from '../protocol/topic.ts';
import { FanwireError } from './errors.ts';
import { type Guard, isCountFrom, isString } from './guards.ts';

// What an application may give to the methods. The server checks it, too; here the error comes at once, from the line
// that is wrong.

/** By the name of an option: what it is to be, and whether a value is that. Undefined is as if it were not there. */
export type Rules = Readonly<Record<string, Rule>>;
export interface Rule {
  readonly expected: string;
  readonly holds: (value: unknown) => boolean;
  /** The value may hold a secret, and is not shown. */
  readonly isSecret?: boolean;
}

/**
 * Gives the options as they were read, once. Those beyond the rules are refused, because they are most likely a typo; and
 * so is an object of a class or with a prototype, of which some are inherited, and those of a Map are none.
 */
export function expectOptions<O extends object>(what: string, options: O, rules: Rules): O {
  const plain = `${what} to be a plain object, of no class`;
  const given = trying(plain, () => isRecord(options) && isPlain(options) && { ...options });
  // A grant that is given in place of the options is not shown.
  if (!given) throw badArgument(plain, options, true);
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule) throw badArgument(`${what} to be none but ${Object.keys(rules).join(', ')}`, name);
    if (value !== undefined) expectOne(`${name} to be`, value, rule);
  }
  return given;
}

function expectOne(what: string, value: unknown, rule: Rule): void {
  const expected = `${what} ${rule.expected}`;
  if (!trying(expected, () => rule.holds(value))) throw badArgument(expected, value, rule.isSecret);
}

/** Also one of another window. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** What the application's code gives, be it a getter. What it throws is its fault, and says so. */
export function trying<T>(expected: string, give: () => T): T {
  try {
    return give();
  } catch (cause) {
    if (cause instanceof FanwireError) throw cause;
    throw new FanwireError('bad_request', `expected ${expected}, got an error`, { cause });
  }
}

/** The same of a function that is an option. */
export function expectToGive(name: string, give: () => unknown, rule: Rule): unknown {
  const what = `${name} to give`;
  const value = trying(`${what} ${rule.expected}`, give);
  expectOne(what, value, rule);
  return value;
}

export const badArgument = (expected: string, got: unknown, isSecret = false): FanwireError =>
  new FanwireError('bad_request', `expected ${expected}, got ${isSecret ? kindOf(got) : shown(got)}`);

const SHOWN_LENGTH_MAX = 80;

/** Short, and without what an object holds. */
function shown(value: unknown): string {
  if (isString(value)) return JSON.stringify(value.slice(0, SHOWN_LENGTH_MAX));
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}

export const isFunction = (value: unknown): boolean => typeof value === 'function';
export const isFromTo =
  (min: number, max: number): Guard<number> =>
  (value): value is number =>
    typeof value === 'number' && value >= min && value <= max;
const isWholeFrom = (min: number, max: number) => (value: unknown) =>
  isCountFrom(min)(value) && (value as number) <= max;
const isName = (value: unknown, lengthMax = ID_LENGTH_MAX): value is string =>
  isString(value) && value.length > 0 && value.length <= lengthMax;

const handler: Rule = { expected: 'a function', holds: isFunction };
const position: Rule = {
  expected: 'a position: { epoch, offset }',
  holds: (value) => isRecord(value) && isName(value.epoch, EPOCH_LENGTH_MAX) && isCountFrom(0)(value.offset),
};
const maxAge: Rule = {
  expected: `a number of seconds above 0 and up to ${MAX_AGE_SECONDS_MAX}, or Infinity`,
  holds: (value) => value === Infinity || (value !== 0 && isFromTo(0, MAX_AGE_SECONDS_MAX)(value)),
};
const flag: Rule = { expected: 'true or false', holds: (value) => typeof value === 'boolean' };

const grant: Rule = {
  expected: 'a string or a function',
  holds: (value) => isFunction(value) || (isString(value) && value !== ''),
  isSecret: true,
};

const SUBSCRIBE: Rules = {
  rewind: {
    expected: `1 to ${REPLAY_MAX} messages, or { seconds: 1 to ${MAX_AGE_SECONDS_MAX} }`,
    holds: (value) =>
      isRecord(value)
        ? Object.keys(value).length === 1 && isWholeFrom(1, MAX_AGE_SECONDS_MAX)(value.seconds)
        : isWholeFrom(1, REPLAY_MAX)(value),
  },
  position,
  grant,
  onMessage: handler,
  onRecovery: handler,
};

export const key: Rule = {
  expected: `a string of 1 to ${ID_LENGTH_MAX} characters`,
  holds: (value) => isName(value),
};

const PUBLISH: Rules = {
  key,
  maxAge,
  except: {
    expected: `'${SELF}' or a list of 1 to ${EXCEPT_MAX} connection ids`,
    holds: (value) =>
      value === SELF ||
      (Array.isArray(value) &&
        isWholeFrom(1, EXCEPT_MAX)(value.length) &&
        value.every((connectionId) => isName(connectionId))),
  },
  version: { expected: 'a whole number from 1', holds: isCountFrom(1) },
  stored: flag,
};

const HISTORY: Rules = {
  after: position,
  before: { expected: 'an offset from 1', holds: isCountFrom(1) },
  limit: { expected: `1 to ${HISTORY_LIMIT_MAX} messages`, holds: isWholeFrom(1, HISTORY_LIMIT_MAX) },
  reverse: flag,
  grant,
};

const EVENTS = ['state', 'message', 'error'];

export function expectEvent(event: unknown, run: unknown): void {
  if (!EVENTS.includes(event as string)) throw badArgument(`an event of ${EVENTS.join(', ')}`, event);
  if (!isFunction(run)) throw badArgument('a handler to be a function', run);
}

const A_TOPIC = 'a topic of 1 to 5 segments like chat/lobby, each of A-Z a-z 0-9 _ . ~ : @ -';

// Each gives the options as they were read.

export function expectSubscribe<O extends object>(topic: unknown, options: O): O {
  if (!isPatternName(topic)) throw badArgument(`${A_TOPIC}, or one with /* at its end`, topic);
  const given = expectOptions('options of subscribe', options, SUBSCRIBE);
  const { rewind, position } = given as { [name: string]: unknown };
  if (rewind !== undefined && position !== undefined) throw badArgument('either rewind or position', 'both');
  return given;
}

export function expectPublish<O extends object>(topic: unknown, options: O): O {
  expectTopic(topic);
  return expectOptions('options of publish', options, PUBLISH);
}

const recipient: Rule = {
  expected: '{ connectionId } or { userId }',
  holds: (to) =>
    isRecord(to) && Object.keys(to).length === 1 && (isName(to.connectionId) || isName(to.userId)),
};

export function expectSend<O extends object>(to: unknown, options: O): O {
  expectOne('a recipient:', to, recipient);
  return expectOptions('options of send', options, { maxAge });
}

export function expectHistory<O extends object>(topic: unknown, options: O): O {
  expectTopic(topic);
  const given = expectOptions('options of history', options, HISTORY);
  const { after, before, reverse = false } = given as { [name: string]: unknown };
  if (reverse ? after !== undefined : before !== undefined) {
    throw badArgument('before only in reverse, and after only forward', reverse ? 'after' : 'before');
  }
  return given;
}

function expectTopic(topic: unknown): void {
  if (!isTopicName(topic)) throw badArgument(A_TOPIC, topic);
}
