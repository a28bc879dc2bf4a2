import { type Bearer, endsAtMs } from '../lambda/bearer.ts';
import type { Authorization } from '../lambda/config.ts';
import { ClientError, describe, ErrorCode, givenUp } from '../protocol/errors.ts';
import { type Operation, permits } from '../protocol/rights.ts';

export interface RightsGuard {
  /** Throws `gone` if the token of a connection has ended: its client takes the next one, with another token. */
  expectLive(bearer: Bearer | undefined): void;
  /** Whether its rights cover this. */
  may(bearer: Bearer | undefined, operation: Operation, target: string): boolean;
  /** The same, and throws `forbidden` if its rights do not cover this. See `permits` for what a target is. */
  expectMay(bearer: Bearer | undefined, operation: Operation, target: string): void;
}

/** Where no authorizer is asked, everybody may do everything; where one is, nobody may whom it has not spoken of. */
export function createGuard(authorization: Authorization, now: () => number): RightsGuard {
  if (authorization === 'none') return { expectLive() {}, expectMay() {}, may: () => true };
  const expectLive = (bearer: Bearer | undefined): void => {
    if (bearer && now() > endsAtMs(bearer)) throw givenUp();
  };
  const may: RightsGuard['may'] = (bearer, operation, target) =>
    bearer !== undefined && permits(bearer.rights, operation, target);
  return {
    expectLive,
    may,
    expectMay(bearer, operation, target) {
      expectLive(bearer);
      if (may(bearer, operation, target)) return;
      throw new ClientError(
        ErrorCode.forbidden,
        `expected a right to ${operation}, got none for ${describe(target)}`,
      );
    },
  };
}
