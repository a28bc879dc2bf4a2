import type { QueueEvent, QueueRecord, QueueResult } from '../../shared/lambda/events.ts';
import type { LambdaFunction, Outcome } from './lambda.ts';
import type { Cancel } from './scheduler.ts';
import type { World } from './world.ts';

/** As in infra/queues.ts. */
const RECEIVES_MAX = 15;
const POLL_MS = 5;
const LATE_MS = [1_000, 60_000] as const;

/** Why the queue itself gives a record up. */
export const RECEIVED_TOO_OFTEN = 'received too often';

interface Item {
  readonly id: string;
  readonly body: string;
  readonly sentAtMs: number;
  receives: number;
  /** Names the last time that it was handed out. */
  receipt: string;
  /** Cancels that it appears when its time is over. */
  stay: Cancel;
  isVisible: boolean;
  isDone: boolean;
}
export interface DeadLetter {
  readonly body: string;
  readonly reason: string;
}

/** A queue that only people read. */
export class DeadLetters {
  readonly letters: DeadLetter[] = [];
  readonly #onLetter: (letter: DeadLetter) => void;

  constructor(onLetter: (letter: DeadLetter) => void) {
    this.#onLetter = onLetter;
  }

  add(body: string, reason: string): void {
    const letter = { body, reason };
    this.letters.push(letter);
    this.#onLetter(letter);
  }
}

interface QueueOptions {
  readonly name: string;
  readonly url: string;
  readonly visibilityMs: number;
  /** Batches in progress at the same time. */
  readonly workersMax: number;
  readonly batchMax: number;
  readonly deadLetters: DeadLetters;
}

/** A standard queue of SQS with the event source mapping of its worker. */
export class Queue {
  readonly #world: World;
  readonly #options: QueueOptions;
  readonly #worker: LambdaFunction<QueueEvent, QueueResult>;
  readonly #items = new Set<Item>();
  #running = 0;

  constructor(world: World, options: QueueOptions, worker: LambdaFunction<QueueEvent, QueueResult>) {
    this.#world = world;
    this.#options = options;
    this.#worker = worker;
  }

  get url(): string {
    return this.#options.url;
  }

  /** Records that are not done, whether they wait or are worked on. */
  get size(): number {
    return this.#items.size;
  }

  send(body: string, delayMs = 0): void {
    const { faults, dice } = this.#world;
    const id = dice.id();
    const lateMs = faults.hits('recordLate') ? dice.scale(...LATE_MS) : 0;
    this.#put(id, body, delayMs + lateMs);
    if (faults.hits('recordTwice')) this.#put(id, body, delayMs + dice.scale(1, LATE_MS[1]));
  }

  #put(id: string, body: string, delayMs: number): void {
    const item: Item = {
      id,
      body,
      sentAtMs: this.#world.scheduler.nowMs,
      receives: 0,
      receipt: '',
      stay: () => {},
      isVisible: false,
      isDone: false,
    };
    this.#items.add(item);
    this.#appear(item, delayMs);
  }

  /** Has a record that is worked on appear so much later; a receipt that is good no more changes nothing. */
  hide(receipt: string, ms: number): void {
    const item = [...this.#items].find((each) => each.receipt === receipt && !each.isVisible);
    if (item) this.#appear(item, ms);
  }

  #appear(item: Item, delayMs: number): void {
    item.stay();
    item.stay = this.#world.after(delayMs, () => {
      if (item.isDone) return;
      if (item.receives >= RECEIVES_MAX) {
        this.#world.trace(this.#options.name, 'gives up', item.id);
        this.#finish(item);
        this.#options.deadLetters.add(item.body, RECEIVED_TOO_OFTEN);
        return;
      }
      item.isVisible = true;
      this.#world.after(this.#world.latency(POLL_MS), () => this.#poll());
    });
  }

  #poll(): void {
    const { faults, dice } = this.#world;
    const visible = [...this.#items].filter(({ isVisible }) => isVisible);
    if (visible.length === 0 || this.#running >= this.#options.workersMax) return;
    const inOrder = faults.hits('recordsReordered') ? dice.shuffled(visible) : visible;
    const batch = inOrder.slice(0, dice.integer(1, this.#options.batchMax));
    for (const item of batch) {
      item.isVisible = false;
      item.receives += 1;
      item.receipt = dice.id();
      this.#appear(item, this.#options.visibilityMs);
    }
    this.#running += 1;
    this.#world.trace(this.#options.name, 'hands out', batch.length);
    const Records = batch.map((item) => recordOf(item, arnOf(this.#options.url)));
    void this.#worker.invoke({ Records }).then((outcome) => {
      this.#running -= 1;
      this.#settle(batch, outcome);
      this.#poll();
    });
    this.#poll();
  }

  /** What did not succeed becomes visible again when its time is over, and not at once. */
  #settle(batch: readonly Item[], outcome: Outcome<QueueResult>): void {
    if (outcome.status !== 'answered') return;
    const failed = new Set(outcome.answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    for (const item of batch) if (!failed.has(item.id)) this.#finish(item);
  }

  #finish(item: Item): void {
    item.isDone = true;
    item.isVisible = false;
    this.#items.delete(item);
  }
}

const arnOf = (url: string): string =>
  `arn:aws:sqs:eu-central-1:${new URL(url).pathname.slice(1).replace('/', ':')}`;

const recordOf = ({ id, body, sentAtMs, receives, receipt }: Item, arn: string): QueueRecord => ({
  messageId: id,
  body,
  receiptHandle: receipt,
  eventSourceARN: arn,
  attributes: { ApproximateReceiveCount: String(receives), SentTimestamp: String(Math.floor(sentAtMs)) },
});
