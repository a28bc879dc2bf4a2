/** Told of the events that buses take. */
export interface BusMeter {
  published(bus: string, bytes: number): void;
}
