import { backoffMs } from './backoff.ts';
import type { Commands } from './commands.ts';
import { FanwireError } from './errors.ts';
import type { Settings } from './options.ts';
import type { Timers } from './timers.ts';
import type { Ack } from './wire.ts';

export interface Step {
  /** Asked when its turn has come: the command, or undefined if it is not wanted any more. */
  readonly command: () => string | undefined;
  readonly onAck: (ack: Ack) => void;
  /** Only an error that is final: after any other it is tried again. */
  readonly onRefused: (error: FanwireError) => void;
}

/**
 * Commands on the same topic one after the other, on different topics side by side: API Gateway runs the frames of a
 * connection side by side, so that an unsubscribe could overtake its subscribe.
 */
export class Lanes {
  readonly #commands: Commands;
  readonly #settings: Settings;
  readonly #timers: Timers;
  readonly #onIdle: () => void;
  /** The first step of each is on its way. There are no empty ones. */
  readonly #lanes = new Map<string, Step[]>();
  #isClosed = false;

  constructor(commands: Commands, settings: Settings, timers: Timers, onIdle: () => void) {
    this.#commands = commands;
    this.#settings = settings;
    this.#timers = timers;
    this.#onIdle = onIdle;
  }

  get idle(): boolean {
    return this.#lanes.size === 0;
  }

  add(topic: string, step: Step): void {
    const lane = this.#lanes.get(topic);
    if (lane) {
      lane.push(step);
    } else {
      this.#lanes.set(topic, [step]);
      this.#run(topic, step);
    }
  }

  /** Another connection has what is wanted, or will. Nothing is started any more, and no answer matters. */
  close(): void {
    this.#isClosed = true;
  }

  #run(topic: string, step: Step, failures = 0): void {
    if (this.#isClosed) return;
    const json = step.command();
    if (json === undefined) {
      this.#next(topic);
      return;
    }
    this.#commands.send(json, (reply) => {
      if (this.#isClosed) return;
      if (reply instanceof FanwireError && reply.temporary) {
        const again = () => this.#run(topic, step, failures + 1);
        this.#timers.after(backoffMs(failures, this.#settings), again);
        return;
      }
      if (reply instanceof FanwireError) step.onRefused(reply);
      else step.onAck(reply);
      this.#next(topic);
    });
  }

  #next(topic: string): void {
    const lane = this.#lanes.get(topic) ?? [];
    lane.shift();
    const [step] = lane;
    if (step) {
      this.#run(topic, step);
    } else {
      this.#lanes.delete(topic);
      if (this.idle) this.#onIdle();
    }
  }
}
