import { badRequest } from './errors.ts';

const encoder = new TextEncoder();

/**
 * Any text as one segment of a topic: every byte of its UTF-8 but `A-Z a-z 0-9 _ . : @ -` becomes `~` and two upper-case
 * hexadecimal digits, as in URLs with `~` for `%`. `~` itself becomes `~7E`, so two texts never give the same segment.
 * A back end that publishes to `inbox/{sub}` escapes the subject in this way; in Python:
 * `quote(sub, safe=':@').replace('~', '%7E').replace('%', '~')`.
 */
export function escapeSegment(text: string): string {
  // An empty segment is none, and all halves of a pair are one and the same in UTF-8.
  if (text === '' || !text.isWellFormed()) {
    throw badRequest('one or more characters of well-formed Unicode', text);
  }
  return text.replace(/[^A-Za-z0-9_.:@-]/gu, (character) =>
    Array.from(encoder.encode(character), escapeByte).join(''),
  );
}

const escapeByte = (byte: number): string => `~${byte.toString(16).toUpperCase().padStart(2, '0')}`;
