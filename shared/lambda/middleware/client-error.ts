import type { MiddlewareObj } from '@middy/core';
import { ClientError } from '../../protocol/errors.ts';

/** Turns the caller's fault into an answer; every other error climbs on. */
export const clientErrorTo = <R>(
  answer: (error: ClientError, id: string | undefined) => R,
): MiddlewareObj => ({
  onError({ error, internal }) {
    if (error instanceof ClientError) return answer(error, (internal as { id?: string }).id);
  },
});
