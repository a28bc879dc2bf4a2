import { askInTime, askToken } from './endpoint.ts';
import { FanwireError } from './errors.ts';
import type { Settings } from './options.ts';
import type { Session } from './session.ts';
import { writeCommand } from './write.ts';

/** What has come of it. Empty if there was no connection, or there are no tokens. */
export interface Refreshed {
  /** Until when the connection is good now, in ISO 8601. */
  readonly expiresAt?: string;
}

/** Gives the live connection a new token. Whoever asks for that while it is being done shares what comes of it. */
export class Renewal {
  readonly #settings: Settings;
  readonly #session: () => Session | undefined;
  readonly #onRenewed: (session: Session, token: string, expiresAt: string) => void;
  #running: Promise<Refreshed> | undefined;
  #stop = (_: FanwireError) => {};

  constructor(
    settings: Settings,
    session: () => Session | undefined,
    onRenewed: (session: Session, token: string, expiresAt: string) => void,
  ) {
    this.#settings = settings;
    this.#session = session;
    this.#onRenewed = onRenewed;
  }

  run(): Promise<Refreshed> {
    this.#running ??= new Promise<Refreshed>((resolve, reject) => {
      this.#stop = reject;
      this.#renew().then(resolve, reject);
    }).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  close(reason: FanwireError): void {
    this.#stop(reason);
  }

  async #renew(): Promise<Refreshed> {
    const { token: give } = this.#settings;
    if (!give) return {};
    const token = await askInTime(this.#settings, 'a token', askToken(give));
    const session = this.#session();
    return session ? this.#authenticate(session, token) : {};
  }

  #authenticate(session: Session, token: string): Promise<Refreshed> {
    return new Promise((resolve, reject) => {
      const command = writeCommand('authenticate', { token });
      session.commands.send(
        command,
        (reply) => {
          if (reply instanceof FanwireError) return reject(reply);
          const { expiresAt } = reply;
          this.#onRenewed(session, token, expiresAt);
          resolve({ expiresAt });
        },
        true,
      );
    });
  }
}
