import { KEY_WINDOW_MS, type WireMessage } from '../../protocol/frames.ts';
import type { DataJson } from '../../protocol/json.ts';

/** A message that has no offset yet. */
export interface Draft {
  readonly message: WireMessage<DataJson>;
  /**
   * When Fanwire, or the bus for it, took the message: the one clock by which a key is the same for so long. Publishers'
   * own clocks (`publishedAt`) differ by any amount.
   */
  readonly acceptedAtMs: number;
  /** The publication that it came with. Several publications can have the same key. */
  readonly origin: string;
  /** The frame or record that it came in. What came in one keeps its order. */
  readonly source: object;
  /** It may have an offset already, because it has a key or its record has been handed out before. */
  readonly mayBeRepeated: boolean;
  /** It may come again, so that a claim has to say where it is. */
  readonly needsClaim: boolean;
  readonly version?: number;
  /** See `Payload`. */
  readonly resets?: boolean;
  readonly expiresAtMs?: number;
  readonly except?: readonly string[];
}

export const idOf = ({ message }: Draft): string => message.messageId;

/** The first draft with each id. */
export function firstOfEach<D extends Draft>(drafts: readonly D[]): Map<string, D> {
  const firsts = new Map<string, D>();
  for (const draft of drafts) if (!firsts.has(idOf(draft))) firsts.set(idOf(draft), draft);
  return firsts;
}

/**
 * Whether a draft is the same message as the first with its id, which was accepted at `firstMs`: it is as long as the
 * key counts, and if it was accepted before that one, because then it is only late.
 */
export const isSameMessage = ({ acceptedAtMs }: Draft, firstMs: number): boolean =>
  acceptedAtMs <= firstMs + KEY_WINDOW_MS;
