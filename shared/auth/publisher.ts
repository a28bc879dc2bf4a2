import type { Bearer } from '../lambda/bearer.ts';
import type { Publisher } from '../protocol/frames.ts';

/** Whose command it is. */
interface From {
  readonly connectionId: string;
  readonly bearer?: Bearer;
}

/**
 * Who subscribers are told has published something: the verified user. A connection id would tell them whom to post to,
 * so they get it only where no authorizer is asked, and everybody may post to everybody.
 */
export const publisherOf = ({ connectionId, bearer }: From): Publisher => {
  if (!bearer) return { connectionId };
  return bearer.userId === undefined ? {} : { userId: bearer.userId };
};
