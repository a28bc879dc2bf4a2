import type { Credentials } from './sigv4.ts';

/** Makes anew only what another second or other credentials ask for: a signature is good for the second that it names. */
export function perSecond<T>(
  make: (credentials: Credentials, ms: number) => T,
): (credentials: Credentials, nowMs: number) => T {
  let known: { readonly ms: number; readonly credentials: Credentials; readonly made: T } | undefined;
  return (credentials, nowMs) => {
    const ms = nowMs - (nowMs % 1_000);
    if (known?.ms !== ms || known.credentials !== credentials) {
      known = { ms, credentials, made: make(credentials, ms) };
    }
    return known.made;
  };
}
