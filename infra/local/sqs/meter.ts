/** Told what queues are billed for: the requests to each, with the bytes that they carry. */
export interface QueueMeter {
  requested(queue: string, action: string, payloadBytes?: number, isGrouped?: boolean): void;
}

interface Entry {
  readonly MessageBody?: unknown;
  /** Of a message that was received. */
  readonly Body?: unknown;
  readonly MessageAttributes?: unknown;
  readonly MessageGroupId?: unknown;
}

/** What SQS bills a request by: the bytes that it carries, and whether any of them belong to a message group. */
export function payloadOf(input: Readonly<Record<string, unknown>>): {
  readonly bytes: number;
  readonly isGrouped: boolean;
} {
  const entries: readonly Entry[] = Array.isArray(input.Entries) ? input.Entries : [input];
  return {
    bytes: entries.reduce((bytes, { MessageBody, Body, MessageAttributes }) => {
      const attributes = MessageAttributes ? Buffer.byteLength(JSON.stringify(MessageAttributes)) : 0;
      return bytes + Buffer.byteLength(String(MessageBody ?? Body ?? '')) + attributes;
    }, 0),
    isGrouped: entries.some(({ MessageGroupId }) => MessageGroupId !== undefined && MessageGroupId !== null),
  };
}
