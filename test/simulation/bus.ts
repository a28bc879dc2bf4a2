import { PUBLISH_DETAIL_TYPE } from '../../shared/protocol/publication.ts';
import type { Queue } from './queue.ts';
import type { World } from './world.ts';

const ROUTE_MS = 60;
const LATE_MS = [1_000, 60_000] as const;

/** EventBridge with its rules: publications go to the ingest queue, and revocations to that of closings. */
export class Bus {
  readonly #world: World;
  readonly #ingest: Queue;
  readonly #closing: Queue;
  /** Events that are on their way. */
  #underway = 0;
  /** Told of every event that reaches the queue. */
  readonly #onArrival: (event: string) => void;

  constructor(world: World, ingest: Queue, closing: Queue, onArrival: (event: string) => void) {
    this.#world = world;
    this.#ingest = ingest;
    this.#closing = closing;
    this.#onArrival = onArrival;
  }

  get size(): number {
    return this.#underway;
  }

  /** Answers with the event's id. */
  put(source: string, detail: string, detailType = PUBLISH_DETAIL_TYPE): string {
    const { dice, faults, scheduler } = this.#world;
    const id = dice.id();
    const event = JSON.stringify({
      version: '0',
      id,
      'detail-type': detailType,
      source,
      account: '000000000000',
      // In whole seconds.
      time: new Date(Math.floor(scheduler.nowMs / 1000) * 1000).toISOString().replace('.000', ''),
      region: 'eu-central-1',
      resources: [],
      detail: JSON.parse(detail),
    });
    this.#world.trace('event', id);
    const isPublication = detailType === PUBLISH_DETAIL_TYPE;
    this.#deliver(event, isPublication, faults.hits('eventLate') ? dice.scale(...LATE_MS) : 0);
    if (faults.hits('eventTwice')) this.#deliver(event, isPublication, dice.scale(1, LATE_MS[1]));
    return id;
  }

  #deliver(event: string, isPublication: boolean, lateMs: number): void {
    this.#underway += 1;
    this.#world.after(this.#world.latency(ROUTE_MS) + lateMs, () => {
      this.#underway -= 1;
      if (!isPublication) return this.#closing.send(event);
      this.#onArrival(event);
      this.#ingest.send(event);
    });
  }
}
