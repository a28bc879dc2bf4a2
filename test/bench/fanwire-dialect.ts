import type { Data, Dialect } from './audience.ts';

interface Frame {
  readonly type: string;
  readonly data: Data;
  readonly messages?: readonly { readonly data: Data }[];
}

/** How clients of Fanwire speak that all subscribe and publish to one topic. */
export const fanwireDialect = (topic: string): Dialect => ({
  subscribe: JSON.stringify({ action: 'subscribe', topic }),
  publish: (data) => `{"action":"publish","topic":"${topic}","data":${data}}`,
  read: (text) => {
    const frame = JSON.parse(text) as Frame;
    if (frame.type === 'message') return [frame.data];
    if (frame.type === 'messages') return (frame.messages ?? []).map(({ data }) => data);
    if (frame.type !== 'ack') throw new Error(`expected messages and acks, got ${text}`);
    return [];
  },
});
