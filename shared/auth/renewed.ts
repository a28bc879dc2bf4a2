import { KeysUnavailableError } from './errors.ts';

interface RenewedLimits {
  /** What is older than this is read anew before it is used. */
  readonly freshMs: number;
  /** What is older than this is not used, even if it cannot be read anew. */
  readonly staleMaxMs: number;
  /** Between two readings there is at least this much time: strangers can ask for a key that does not exist. */
  readonly cooldownMs: number;
  /** The same after a reading that failed. */
  readonly retryMs: number;
}
export interface RenewedDeps {
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Told of what went wrong, also while there is something older to go on with. */
  readonly report: (problem: string, error: unknown) => void;
}

/** Keys that are read from elsewhere, where they change now and then. */
export interface Renewed<T> {
  /** Throws `KeysUnavailableError` if there are none that are new enough. */
  get(): Promise<T>;
  /** For a key that is not in what `get` gave: read anew, if that has not just been done. What is older will not do. */
  renew(): Promise<T>;
}

export function createRenewed<T>(
  what: string,
  read: () => Promise<T>,
  { freshMs, staleMaxMs, cooldownMs, retryMs }: RenewedLimits,
  { now, report }: RenewedDeps,
): Renewed<T> {
  let held: { readonly value: T; readonly readAtMs: number } | undefined;
  let triedAtMs = Number.NEGATIVE_INFINITY;
  /** Of the last reading, if it failed. */
  let failure: { readonly cause: unknown } | undefined;
  let reading: Promise<void> | undefined;

  const readNow = async (): Promise<void> => {
    triedAtMs = now();
    try {
      held = { value: await read(), readAtMs: triedAtMs };
      failure = undefined;
    } catch (cause) {
      failure = { cause };
      report(`${what} could not be read`, cause);
    }
  };
  const readOnce = async (): Promise<void> => {
    if (!reading && now() - triedAtMs < (failure ? retryMs : cooldownMs)) return;
    reading ??= readNow().finally(() => {
      reading = undefined;
    });
    await reading;
  };
  const isWithin = (ageMs: number): boolean => held !== undefined && now() - held.readAtMs < ageMs;
  const current = (): T => {
    if (held && isWithin(staleMaxMs)) return held.value;
    throw unavailable();
  };
  const unavailable = (): Error =>
    new KeysUnavailableError(`expected to read ${what}, got an error`, failure);

  return {
    async get() {
      if (!isWithin(freshMs)) await readOnce();
      return current();
    },
    async renew() {
      await readOnce();
      if (failure) throw unavailable();
      return current();
    },
  };
}
