import { ErrorCode } from '../protocol/errors.ts';
import { isOutage, isThrottle } from '../retry.ts';

interface LastError {
  readonly code: typeof ErrorCode.unavailable | typeof ErrorCode.internal;
  readonly message: string;
}

/** What a caller is told of an error: that a throttle or an outage, which is nobody's mistake, will be over, and nothing else. */
export function lastErrorOf(error: unknown): LastError {
  const got = isThrottle(error) ? 'throttled' : isOutage(error) ? 'an error of it' : undefined;
  return got
    ? {
        code: ErrorCode.unavailable,
        message: `expected a service to take it, got ${got}; send it again`,
      }
    : { code: ErrorCode.internal, message: 'something went wrong here' };
}
