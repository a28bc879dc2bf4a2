export type RandomBytes = (size: number) => Buffer;

const ID_BYTES = 11;
const ID_PATTERN = /^[A-Za-z0-9_-]{15}=$/;

/**
 * An id as AWS makes them for connections, requests and messages, such as `L0SM9cOFvHcCIhw=`. The padding
 * stays: it is what makes callers escape the id in a URL.
 */
export const createId = (randomBytes: RandomBytes): string =>
  `${randomBytes(ID_BYTES).toString('base64url')}=`;

export const isId = (text: string): boolean => ID_PATTERN.test(text);
