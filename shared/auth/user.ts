import { parseUserId } from '../protocol/parse.ts';
import { escapeSegment } from '../protocol/segment.ts';

/**
 * A subject as Fanwire names its user: `ada` is `ada`, and `auth0|5f7c` is `auth0~7C5f7c`, as in topics with `{sub}`. Two
 * subjects never have the same name. Throws `bad_request` for one of more than 128 characters.
 */
export const userIdOf = (subject: unknown): string =>
  parseUserId(typeof subject === 'string' ? escapeSegment(subject) : subject);
