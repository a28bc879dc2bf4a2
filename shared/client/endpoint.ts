import { badArgument } from './arguments.ts';
import { FanwireError } from './errors.ts';
import { type Guard, isString } from './guards.ts';
import { A_URL, isWebSocketUrl, type Settings } from './options.ts';
import { Timers } from './timers.ts';

/** Where to connect, and with which token. */
export const endpoint = async ({
  url,
  token,
}: Settings): Promise<[url: string, token: string | undefined]> => [
  isString(url) ? url : await ask(`url to give ${A_URL}`, url, isWebSocketUrl),
  token && (await askToken(token)),
];

export const askToken = (token: () => unknown): Promise<string> =>
  ask('token to give a string that may be a subprotocol', token, isSubprotocol);

/** The application may never answer, and something may wait for that. */
export function askInTime<T>(settings: Settings, what: string, asked: Promise<T>): Promise<T> {
  const { connectTimeoutMs } = settings;
  const timers = new Timers(settings);
  return new Promise<T>((resolve, reject) => {
    const expected = `expected ${what} within ${connectTimeoutMs} ms, got none`;
    timers.after(connectTimeoutMs, () => reject(new FanwireError('timeout', expected)));
    asked.then(resolve, reject);
  }).finally(() => timers.clear());
}

/** A token of HTTP (RFC 9110, 5.6.2). */
const isSubprotocol = (value: unknown): value is string =>
  isString(value) && /^[\w!#$%&'*+.^`|~-]+$/.test(value);

/** The application's function. What it gives may be a secret, and is not shown. */
export async function ask(what: string, give: () => unknown, isGood: Guard<string>): Promise<string> {
  let given: unknown;
  try {
    given = await give();
  } catch (cause) {
    if (cause instanceof FanwireError) throw cause;
    throw new FanwireError('unavailable', `expected ${what}, got an error`, { cause });
  }
  if (!isGood(given)) throw badArgument(what, given, true);
  return given;
}
