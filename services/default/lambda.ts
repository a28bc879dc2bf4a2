import { route } from '../../shared/lambda/route.ts';
import { ClientError, describe, ErrorCode } from '../../shared/protocol/errors.ts';
import { Action } from '../../shared/protocol/frames.ts';

/** Gets every frame that names no known action, and those that are no JSON object. All it can do is say so. */
export const handler = route<never>(
  (raw) => {
    const known = Object.values(Action).join(', ');
    throw new ClientError(
      ErrorCode.unknownAction,
      `expected action to be one of ${known}, got ${describe(raw.action)}`,
    );
  },
  ({ frame }) => frame,
);
