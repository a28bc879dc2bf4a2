import { ClientError, describe, ErrorCode } from '../../shared/protocol/errors.ts';
import { Action } from '../../shared/protocol/frames.ts';

/** All that can be done with a frame that names no known action, or is no JSON object, is to say so. */
export function parseUnknown({ action }: Readonly<Record<string, unknown>>): never {
  const known = Object.values(Action).join(', ');
  throw new ClientError(
    ErrorCode.unknownAction,
    `expected action to be one of ${known}, got ${describe(action)}`,
  );
}
