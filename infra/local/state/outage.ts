/**
 * The time in which a store cannot be used, most often because its disk is full. Its callers are refused meanwhile, and
 * the log says it twice: when it begins and when it is over.
 */
export class Outage {
  readonly #store: string;
  readonly #log: (line: string) => void;
  #isOn = false;

  constructor(store: string, log: (line: string) => void) {
    this.#store = store;
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  begin(cause: unknown): void {
    if (this.#isOn) return;
    this.#isOn = true;
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#log(`${this.#store} cannot be written: ${reason}. What would be written is refused until they can`);
  }

  end(): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.#log(`${this.#store} can be written again`);
  }
}
