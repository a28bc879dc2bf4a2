import type { Code } from '../simulation/code.ts';
import { load, type Plant, plantedSources, removeSources } from '../simulation/sources.ts';

/** Bugs, each planted in the source, that lets somebody get what is not theirs. */
export const MUTANTS = {
  /** A right to one topic is one to all that is below it. */
  wildcardWidened: {
    file: 'shared/protocol/rights.ts',
    find: 'const [, ...wildcards] = patternsCovering(',
    replace: 'const wildcards = patternsCovering(',
  },
  /** A claim reaches other topics than its own. */
  claimUnescaped: {
    file: 'shared/protocol/rights.ts',
    find: 'return text === undefined ? placeholder : escapeSegment(text);',
    replace: 'return text ?? placeholder;',
  },
  /** A subscription outlives its token. */
  rowWithoutEnd: {
    file: 'services/subscribe/add-row.ts',
    find: 'connectionEndsAtSeconds(connectedAtMs, Math.min(endMs, lastEndMs))',
    replace: 'connectionEndsAtSeconds(connectedAtMs)',
  },
  /** A token may be used for as long as its connection lasts. */
  neverOver: {
    file: 'shared/auth/guard.ts',
    find: 'now() <= endsAtMs(token) && isWanted(token)',
    replace: 'isWanted(token)',
  },
  /** Anybody's token or grant will do. */
  renewedByOthers: {
    file: 'shared/auth/own-token.ts',
    find: 'if (own.userId !== bearer.userId) {',
    replace: 'if (own.userId === "") {',
  },
  /** What the token of before has covered goes on. */
  renewedUnsettled: {
    file: 'services/authenticate/authenticate.ts',
    find: 'own?.grant ? own.atMs : 0',
    replace: 'own?.atMs ?? 0',
  },
  /** A grant gives the rights that its user has anyway, for as long as those. */
  grantForEver: {
    file: 'services/subscribe/add-row.ts',
    find: 'Math.min(endMs, lastEndMs)',
    replace: 'lastEndMs',
  },
  /** A token that was revoked is good for a connection that is open. */
  renewedByRevoked: {
    file: 'shared/auth/own-token.ts',
    find: 'if (await revocations.isRevoked(own))',
    replace: 'if (revocations === undefined)',
  },
  /** Who may subscribe may read what was. */
  historyForAll: {
    file: 'services/subscribe/subscribe.ts',
    find: "if (rewind !== undefined) await guard.expectMay(input, 'history', topic);",
    replace: '',
  },
  /** A token that was revoked opens the next connection. */
  revokedTaken: {
    file: 'services/connect/connect.ts',
    find: 'if (!(await revocations.isRevoked(token))) return;',
    replace: 'if (revocations) return;',
  },
  /** Whoever is not in the index yet is not looked for again. */
  lookedForOnce: {
    file: 'services/close/close.ts',
    find: 'const LOOKS_MAX = 3;',
    replace: 'const LOOKS_MAX = 1;',
  },
  /** A connection is left open when its token is over: jobs that are late find it. */
  neverClosed: {
    file: 'services/close/close.ts',
    find: 'if (leftMs > CLOCKS_APART_MS) return;',
    replace: 'if (leftMs < Infinity) return;',
  },
} satisfies Record<string, Plant>;
export type MutantName = keyof typeof MUTANTS;

/** Runs something with the bug planted. */
export async function withMutant<T>(name: MutantName, run: (code: Code) => Promise<T>): Promise<T> {
  const folder = plantedSources(MUTANTS[name]);
  try {
    return await run((await load({ current: folder })).current);
  } finally {
    removeSources(folder);
  }
}
