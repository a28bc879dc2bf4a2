import type { Credentials } from '../../aws/sign/sigv4.ts';

/** What the SDK's providers answer with. */
interface ExpiringCredentials extends Credentials {
  readonly expiration?: Date;
}
export type CredentialsProvider = () => Promise<ExpiringCredentials>;

const REFRESH_BEFORE_MS = 5 * 60_000;
/** After a failed refresh, while the old ones still hold. */
const RETRY_AFTER_MS = 10_000;

/** Credentials that are at hand without a promise, and renewed in time. */
export class CachedCredentials {
  readonly #provider: CredentialsProvider;
  readonly #now: () => number;
  #credentials: ExpiringCredentials | undefined;
  #expiresAtMs = 0;
  #refreshAtMs = 0;
  #refreshing: Promise<ExpiringCredentials> | undefined;

  constructor(provider: CredentialsProvider, now: () => number) {
    this.#provider = provider;
    this.#now = now;
  }

  /** Those that hold now. Near their end it has new ones fetched, and answers with the old ones meanwhile. */
  current(): Credentials | undefined {
    const nowMs = this.#now();
    if (nowMs < this.#refreshAtMs) return this.#credentials;
    if (nowMs >= this.#expiresAtMs) return undefined;
    this.#refreshAtMs = Math.min(nowMs + RETRY_AFTER_MS, this.#expiresAtMs);
    // Failing is no harm before they expire; then `fetch` says what is wrong.
    this.fetch().catch(() => {});
    return this.#credentials;
  }

  /** Fetches new ones; all who ask meanwhile share one fetch. */
  fetch(): Promise<Credentials> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refresh(): Promise<ExpiringCredentials> {
    const credentials = await this.#provider();
    const expiresAtMs = credentials.expiration?.getTime() ?? Infinity;
    const nowMs = this.#now();
    this.#credentials = credentials;
    this.#expiresAtMs = expiresAtMs;
    // Some providers give shorter ones, or the same again: they are used until they expire, with a try now and then.
    this.#refreshAtMs = Math.min(
      Math.max(expiresAtMs - REFRESH_BEFORE_MS, nowMs + RETRY_AFTER_MS),
      expiresAtMs,
    );
    return credentials;
  }
}
