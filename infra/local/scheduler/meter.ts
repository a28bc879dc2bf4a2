/** Told of the runs of schedules. */
export interface ScheduleMeter {
  ran(schedule: string): void;
}
