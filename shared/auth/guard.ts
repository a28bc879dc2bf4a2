import type { Connections } from '../data/connections.ts';
import type { Standing } from '../data/standing.ts';
import { type Bearer, endsAtMs } from '../lambda/bearer.ts';
import type { Authorization } from '../lambda/config.ts';
import { ClientError, describe, ErrorCode, givenUp } from '../protocol/errors.ts';
import { type Namespaces, namespaceOf } from '../protocol/namespaces.ts';
import { type Operation, permits, type Rights } from '../protocol/rights.ts';
import type { Pattern } from '../protocol/topic.ts';

/** Whose command it is. Of one and the same object the connection's item is read at most once. */
export interface Caller {
  readonly connectionId: string;
  readonly bearer?: Bearer;
}

/**
 * What a connection may do: what the token that it was opened with allows, which comes with every command, or the newest
 * one that its client has given it since, which is in its item. That one is read only if the first does not do.
 */
export interface RightsGuard {
  /** Throws `gone` if the tokens of a connection have ended: its client takes the next one, with another token. */
  expectLive(caller: Caller): Promise<void>;
  /** Whether its rights cover this. */
  may(caller: Caller, operation: Operation, target: string): Promise<boolean>;
  /** The same, and throws `forbidden` if its rights do not cover this. See `permits` for what a target is. */
  expectMay(caller: Caller, operation: Operation, target: string): Promise<void>;
  /** What the connection's item says; undefined if there is none. */
  standing(caller: Caller): Promise<Standing | undefined>;
  /** Until when its tokens allow this, in epoch milliseconds; undefined if they do not. */
  endOf(caller: Caller, standing: Standing, operation: Operation, target: string): number | undefined;
  /** When the last of its tokens ends. */
  lastEnd(caller: Caller, standing: Standing): number;
}

export interface GuardDeps {
  readonly authorization: Authorization;
  readonly connections: Pick<Connections, 'standing'>;
  readonly now: () => number;
  /** Of the topics that it is asked about; not needed by those that read none. */
  readonly namespaces?: Namespaces;
}

/** Where no authorizer is asked, everybody may do everything; where one is, nobody may whom it has not spoken of. */
export const createGuard = (deps: GuardDeps): RightsGuard =>
  deps.authorization === 'none' ? openGuard(deps) : strictGuard(deps);

const openGuard = ({ connections }: GuardDeps): RightsGuard => ({
  async expectLive() {},
  async expectMay() {},
  may: async () => true,
  standing: ({ connectionId }) => connections.standing(connectionId),
  endOf: () => Infinity,
  lastEnd: () => Infinity,
});

/** A token, as far as it counts here. */
type Token = Pick<Bearer, 'rights' | 'expiresAtMs'>;

function strictGuard({ connections, now, namespaces }: GuardDeps): RightsGuard {
  const read = new WeakMap<Caller, Promise<Standing | undefined>>();
  const standing: RightsGuard['standing'] = (caller) => {
    const known = read.get(caller) ?? connections.standing(caller.connectionId);
    read.set(caller, known);
    return known;
  };
  const needsGrant = (operation: Operation, target: string): boolean =>
    namespaces !== undefined && needsGrantFor(operation, target, namespaces);
  /** Whether a token of the connection that has not ended is as wanted: first the one that is at hand. */
  const hasToken = async (caller: Caller, isWanted: (token: Token) => boolean): Promise<boolean> => {
    const isGood = (token: Token) => now() <= endsAtMs(token) && isWanted(token);
    if (!caller.bearer) return false;
    if (isGood(caller.bearer)) return true;
    // Nobody without a user gets another token.
    if (caller.bearer.userId === undefined) return false;
    const { renewed } = (await standing(caller)) ?? {};
    return renewed !== undefined && isGood(renewed);
  };
  const expectLive: RightsGuard['expectLive'] = async (caller) => {
    if (caller.bearer && !(await hasToken(caller, () => true))) throw givenUp();
  };
  const may: RightsGuard['may'] = async (caller, operation, target) =>
    !needsGrant(operation, target) &&
    (await hasToken(caller, ({ rights }) => permits(rights, operation, target)));
  return {
    ...{ standing, expectLive, may },
    async expectMay(caller, operation, target) {
      if (await may(caller, operation, target)) return;
      await expectLive(caller);
      throw needsGrant(operation, target)
        ? new ClientError(
            ErrorCode.forbidden,
            `expected a grant to ${operation}, because its namespace takes no other right, got none for ${describe(target)}`,
          )
        : lacksRight(operation, target);
    },
    endOf(caller, { renewed }, operation, target) {
      if (needsGrant(operation, target)) return undefined;
      const ends = tokensOf(caller, renewed)
        .filter(({ rights }) => permits(rights, operation, target))
        .map(endsAtMs);
      const end = Math.max(...ends);
      return end >= now() ? end : undefined;
    },
    lastEnd: (caller, { renewed }) => Math.max(...tokensOf(caller, renewed).map(endsAtMs)),
  };
}

const tokensOf = ({ bearer }: Caller, renewed: Token | undefined): readonly Token[] =>
  [bearer, renewed].filter((token) => token !== undefined);

/** What is read of a namespace that wants grants needs one; what is written there does not. */
const needsGrantFor = (operation: Operation, target: string, namespaces: Namespaces): boolean =>
  READING.includes(operation) && namespaceOf(target as Pattern, namespaces).grants === 'required';

const READING: readonly Operation[] = ['subscribe', 'history', 'presence'];

export const lacksRight = (operation: Operation, target: string): ClientError =>
  new ClientError(ErrorCode.forbidden, `expected a right to ${operation}, got none for ${describe(target)}`);

/** The same for what a grant alone allows. */
export function expectGranted(rights: Rights, operation: Operation, target: string): void {
  if (!permits(rights, operation, target)) throw lacksRight(operation, target);
}
