import type { DeliveryJob } from '../queues/job.ts';

/** API Gateway bills every started 32 KB: up to there another message in the frame costs nothing. */
export const BILLING_UNIT_BYTES = 32 * 1024;

/** What is posted to a connection at once. */
interface Frame {
  readonly bytes: Uint8Array;
  /** Index in the job of the first message in it. */
  readonly from: number;
}
/** The frames of a job at some moment. */
export interface Frames {
  readonly frames: readonly Frame[];
  /** How many messages are too late by now, and in no frame. */
  readonly expired: number;
}

type Packable = Pick<DeliveryJob, 'topic' | 'epoch' | 'type' | 'messages'>;

/** Packs what is not too late at `nowMs` into as few frames as fit, in order. */
function packFrames({ topic, epoch, type, messages }: Packable, nowMs: number): Frames {
  const address =
    (topic === undefined ? '' : `"topic":${JSON.stringify(topic)},`) +
    (epoch === undefined ? '' : `"epoch":${JSON.stringify(epoch)},`);
  const frames: Frame[] = [];
  let pack: string[] = [];
  let bytes = 0;
  let from = 0;
  let expired = 0;
  const close = () => {
    if (pack.length > 0) frames.push({ bytes: encode(type, address, pack), from });
    pack = [];
    bytes = address.length + WRAPPING_BYTES;
  };
  for (const [index, { json, expiresAtMs = Infinity }] of messages.entries()) {
    if (expiresAtMs <= nowMs) {
      expired += 1;
      continue;
    }
    const size = Buffer.byteLength(json) + 1;
    if (pack.length === 0 || type !== undefined || bytes + size > BILLING_UNIT_BYTES) {
      close();
      from = index;
    }
    pack.push(json);
    bytes += size;
  }
  close();
  return { frames, expired };
}

const WRAPPING_BYTES = '{"type":"messages","messages":[]}'.length;
const encoder = new TextEncoder();

function encode(
  type: DeliveryJob['type'],
  address: string,
  [first = '', ...more]: readonly string[],
): Uint8Array {
  return encoder.encode(
    more.length === 0
      ? `{"type":"${type ?? 'message'}",${address}${first.slice(1)}`
      : `{"type":"messages",${address}"messages":[${[first, ...more].join(',')}]}`,
  );
}

/** `packFrames` for many connections in turn: packs anew only when a message has become too late. */
export function createPacker(job: Packable): (nowMs: number) => Frames {
  let packed: Frames | undefined;
  let untilMs = 0;
  return (nowMs) => {
    if (!packed || nowMs >= untilMs) {
      packed = packFrames(job, nowMs);
      untilMs = Math.min(
        Infinity,
        ...job.messages.map(({ expiresAtMs = Infinity }) => later(expiresAtMs, nowMs)),
      );
    }
    return packed;
  };
}

const later = (expiresAtMs: number, nowMs: number): number => (expiresAtMs > nowMs ? expiresAtMs : Infinity);
