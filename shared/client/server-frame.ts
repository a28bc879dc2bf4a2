import type { ServerFrame } from '../protocol/acks.ts';
import { FanwireError } from './errors.ts';

/** Others may post to this connection, too, if they have the right to: what comes may be no frame at all. */
export function parseServerFrame(text: string): ServerFrame {
  try {
    const frame: unknown = JSON.parse(text);
    if (isFrame(frame)) return frame;
  } catch {
    throw new FanwireError('bad_frame', 'expected a frame of JSON, got other text', { cause: text });
  }
  throw new FanwireError('bad_frame', 'expected a frame of Fanwire, got other JSON', { cause: text });
}

/** As far as it takes to be sure that nothing breaks. */
const isFrame = (value: unknown): value is ServerFrame =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  (!('type' in value) || value.type !== 'messages' || ('messages' in value && Array.isArray(value.messages)));
