import { ClientError } from '../../protocol/errors.ts';
import type { Middleware } from '../stack.ts';

/** Turns the caller's fault into an answer; every other error climbs on. */
export const clientErrorTo = <R>(answer: (error: ClientError, id: string | undefined) => R): Middleware => ({
  onError({ error, internal }) {
    if (error instanceof ClientError) return answer(error, internal.id);
  },
});
