import { setTimeout as delay } from 'node:timers/promises';
import { Subscriber } from './subscriber.ts';

const CONNECTS_IN_FLIGHT_MAX = 20;
/** What has not arrived by then is lost. */
const FLIGHT_MS_MAX = 20_000;

/** How a system speaks. */
export interface Dialect {
  /** What a client sends once it is connected; every system answers it with one frame. */
  readonly subscribe?: string;
  readonly publish: (data: string) => string;
  /** The data of the messages in a frame: none in a reply, several in one that holds a burst. */
  readonly read: (frame: string) => readonly Data[];
}

export interface Data {
  readonly n: number;
}

export interface Publishing {
  readonly inFlight: number;
  readonly durationMs: number;
  /** Ends after so many, if that is sooner. */
  readonly publishesMax?: number;
  /** One publish in so long, and not as soon as the last one has arrived. */
  readonly everyMs?: number;
  /** Of the data, as JSON. */
  readonly sizeBytes: number;
}

export interface Figures {
  readonly deliveriesPerSecond: number;
  /** From publish to receive, one for each delivery. */
  readonly timesMs: readonly number[];
  /** Deliveries that never came. */
  readonly lost: number;
}

interface Flight {
  readonly sentAt: number;
  missing: number;
  readonly landed: () => void;
}

/** Clients that all get what the first of them publishes. It shares its machine with what it measures, so it is lean. */
export class Audience {
  readonly #url: string;
  readonly #dialect: Dialect;
  readonly #sockets: Subscriber[] = [];
  readonly #flights = new Map<number, Flight>();
  /** Everybody gets the same frames: one that comes again is not parsed again. */
  #last: { readonly frame: Buffer; readonly messages: readonly Data[] } = {
    frame: Buffer.alloc(0),
    messages: [],
  };
  #published = 0;
  #timesMs: number[] = [];
  #lost = 0;

  constructor(url: string, dialect: Dialect) {
    this.#url = url;
    this.#dialect = dialect;
  }

  /** Connects and subscribes until there are so many. */
  async growTo(size: number): Promise<void> {
    const growOne = async () => {
      while (this.#sockets.length + opening < size) {
        opening++;
        const socket = await this.#open();
        opening--;
        this.#sockets.push(socket);
      }
    };
    let opening = 0;
    await Promise.all(Array.from({ length: CONNECTS_IN_FLIGHT_MAX }, growOne));
  }

  /** Publishes for so long, and waits until everybody has received everything. */
  async publish(publishing: Publishing): Promise<Figures> {
    const { inFlight, durationMs, publishesMax = Infinity, everyMs = 0, sizeBytes } = publishing;
    this.#timesMs = [];
    this.#lost = 0;
    let published = 0;
    const startedAt = performance.now();
    const publishOne = async () => {
      while (performance.now() - startedAt < durationMs && published < publishesMax) {
        const dueInMs = startedAt + everyMs * published++ - performance.now();
        if (everyMs > 0 && dueInMs > 0) await delay(dueInMs);
        await this.#publishOne(sizeBytes);
      }
    };
    const publishers = Array.from({ length: inFlight }, publishOne);
    // What still arrives after the last publish does not count for the rate: fewer and fewer are in flight then.
    await Promise.race(publishers);
    const deliveriesPerSecond = (this.#timesMs.length * 1000) / (performance.now() - startedAt);
    await Promise.all(publishers);
    return { deliveriesPerSecond, timesMs: this.#timesMs, lost: this.#lost };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    await Promise.all(this.#sockets.map(({ closed }) => closed));
  }

  async #open(): Promise<Subscriber> {
    const socket = await Subscriber.open(this.#url);
    if (this.#dialect.subscribe !== undefined) {
      const answered = Promise.withResolvers<Buffer>();
      socket.onText = answered.resolve;
      socket.send(this.#dialect.subscribe);
      await answered.promise;
    }
    socket.onText = (frame) => this.#receive(frame);
    return socket;
  }

  #publishOne(sizeBytes: number): Promise<void> {
    const n = this.#published++;
    const { promise, resolve } = Promise.withResolvers<void>();
    const deadline = setTimeout(() => this.#lose(n), FLIGHT_MS_MAX);
    const landed = () => {
      clearTimeout(deadline);
      resolve();
    };
    const data = `{"n":${n},"text":"`.padEnd(sizeBytes - 2, 'x');
    this.#flights.set(n, { sentAt: performance.now(), missing: this.#sockets.length, landed });
    this.#sockets[0]?.send(this.#dialect.publish(`${data}"}`));
    return promise;
  }

  #receive(frame: Buffer): void {
    if (!frame.equals(this.#last.frame)) {
      this.#last = { frame: Buffer.from(frame), messages: this.#dialect.read(frame.toString()) };
    }
    const now = performance.now();
    for (const { n } of this.#last.messages) this.#land(n, now);
  }

  #land(n: number, now: number): void {
    const flight = this.#flights.get(n);
    if (!flight) return; // a duplicate, or too late
    this.#timesMs.push(now - flight.sentAt);
    if (--flight.missing > 0) return;
    this.#flights.delete(n);
    flight.landed();
  }

  #lose(n: number): void {
    const flight = this.#flights.get(n);
    if (!flight) return;
    this.#lost += flight.missing;
    this.#flights.delete(n);
    flight.landed();
  }
}
