/** What run.ts tells the clients. */
export interface LoadSettings {
  readonly url: string;
  /** Where all topics are. */
  readonly namespace: string;
  /** Part of every topic and message, so that nothing of another run is mistaken for this one's. */
  readonly runId: string;
  readonly clients: number;
  readonly topics: number;
  /** Messages a second that all clients publish together. */
  readonly rate: number;
  readonly durationSeconds: number;
  /** Of the data of each message, as JSON. */
  readonly sizeBytes: number;
}

export const messagesOf = ({
  rate,
  durationSeconds,
}: Pick<LoadSettings, 'rate' | 'durationSeconds'>): number => Math.floor(rate * durationSeconds);
