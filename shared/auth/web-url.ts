/** Hosts of this machine: nobody is between them and us, so that a local issuer needs no certificate. */
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Whether what is at the URL can be trusted to come from there. */
export function isWebUrl(value: unknown): value is string {
  // `hash` is empty where nothing follows the `#`, too.
  if (typeof value !== 'string' || value.includes('#')) return false;
  const url = URL.parse(value);
  if (url?.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.includes(url.hostname));
}
