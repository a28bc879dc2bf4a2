import { createHash } from 'node:crypto';

/** Who publishes: as much as is known of it. */
interface Publisher {
  readonly connectionId: string;
  /** Verified. */
  readonly userId?: string | undefined;
  /** See `MessageFields`. */
  readonly family?: string | undefined;
}

/** 128 bits in hex, a UUID or not. The client SDK makes such a key for each message. */
const RANDOM = /^[\da-f]{8}(-?)[\da-f]{4}\1[\da-f]{4}\1[\da-f]{4}\1[\da-f]{12}$/;
const LENGTH = 32;

/**
 * Whether a key is hardly ever used again, so that whether it has a place is not looked up first: every publisher would
 * wait for that, and a message that has one takes an offset in vain.
 */
export const isRandom = (key: string): boolean => RANDOM.test(key);

/**
 * A key as it goes on the bus: one that only this publisher's has. Back ends put theirs there as they are, so that a
 * client has none of theirs, and they have none of a client's. A random one stays one to look at.
 */
export const ownKey = (key: string, publisher: Publisher): string =>
  createHash('sha256')
    .update(JSON.stringify([...ownerOf(key, publisher), key]))
    .digest(isRandom(key) ? 'hex' : 'base64url')
    .slice(0, LENGTH);

/** What stays the same when the publisher is on its next connection, if there is such. */
function ownerOf(key: string, { userId, family, connectionId }: Publisher): [string, string?] {
  if (userId !== undefined) return ['user', userId];
  if (family !== undefined) return ['family', family];
  // Who knows it is who made it up.
  return isRandom(key) ? ['random'] : ['connection', connectionId];
}
