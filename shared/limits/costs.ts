import { bytesOf } from '../protocol/json.ts';
import type { Amounts } from '../protocol/limits.ts';
import type { PublishFrame, SendFrame } from '../protocol/parse.ts';

/** Each message is stored and brought to subscribers once for each of its topics. */
export function publishCost({ messages }: PublishFrame): Amounts {
  const sum = (of: (message: PublishFrame['messages'][number]) => number) =>
    messages.reduce((total, message) => total + of(message), 0);
  return {
    publishes: sum(({ topics }) => topics.length),
    publishBytes: sum(({ topics, data }) => topics.length * bytesOf(data)),
  };
}

export const sendCost = ({ data }: SendFrame): Amounts => ({ publishes: 1, publishBytes: bytesOf(data) });

/**
 * How much it is shows when it has been read: until then it is enough that nothing is owed. A plain `subscribe` may be
 * answered with a last value.
 */
export const historyCost = (): Amounts => ({ historyBytes: 1 });
