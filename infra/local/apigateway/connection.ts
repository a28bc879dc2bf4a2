import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Clock } from '../clock.ts';
import { lastOf } from '../last.ts';
import type { AuthorizerContext, EventConnection, Identity } from './events.ts';
import { encodeMessage, FrameReader } from './frames.ts';
import { CONNECTION_MS_MAX, FRAME_BYTES_MAX, IDLE_MS_MAX, OUTBOUND_BYTES_WAITING_MAX } from './limits.ts';

/** How a connection ended, as `$disconnect` is told. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** Both time limits close with it (captured for the idle one). */
export const GOING_AWAY: Closing = { code: 1001, reason: 'Going away' };

/** The codes are the documented ones; AWS's reasons for them are unknown. */
const TOO_BIG: Closing = { code: 1009, reason: '' };
const NOT_TEXT: Closing = { code: 1003, reason: '' };

/** One client after its 101: its socket, its limits, its two clocks. */
export class Connection implements EventConnection {
  readonly id: string;
  readonly connectedAt: number;
  readonly identity: Identity;
  readonly authorizer: AuthorizerContext | undefined;
  /** Settles when the socket is gone. */
  readonly closed: Promise<Closing>;
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  readonly #clock: Clock;
  readonly #onMessage: (text: string) => void;
  #lastActiveAt: number;
  /** Set once, by whichever side of the gateway ends the connection first; a client's own close leaves it unset. */
  #closing: Closing | undefined;
  #cancelTimer: () => void = () => {};

  constructor(
    { id, connectedAt, identity, authorizer }: EventConnection,
    socket: WebSocket,
    stream: Duplex,
    { clock, onMessage }: { readonly clock: Clock; readonly onMessage: (text: string) => void },
  ) {
    this.id = id;
    this.connectedAt = connectedAt;
    this.identity = identity;
    this.authorizer = authorizer;
    this.#socket = socket;
    this.#stream = stream;
    this.#clock = clock;
    this.#onMessage = onMessage;
    this.#lastActiveAt = clock.now();
    this.#readFrames(stream);
    this.closed = this.#untilClosed();
    this.#watchTime();
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** The last message in either direction. Pings do not count: [inference]. */
  get lastActiveAt(): number {
    return this.#lastActiveAt;
  }

  /** Hands a message to the socket unless it is closing; false if the client does not read and too much waits for it. */
  send(text: Buffer): boolean {
    if (this.#stream.writableLength > OUTBOUND_BYTES_WAITING_MAX) return false;
    // Past `ws`, which would frame a message anew for each connection and write every frame in two pieces: a publish to
    // a thousand is a thousand such writes (`npm run bench -- system`). That is safe because `ws` itself sends nothing but
    // control frames, each whole and at once, and nothing after its close.
    if (this.isOpen) this.#stream.write(framesOf(text));
    this.#lastActiveAt = this.#clock.now();
    return true;
  }

  close(closing: Closing): void {
    if (!this.isOpen) return;
    this.#closing = closing;
    this.#socket.close(closing.code, closing.reason);
  }

  /**
   * Listeners run in their order: the reader first, so that it knows how many messages may pass before `ws`
   * emits any; the check last, so that messages ahead of the frame over the limit are still handled.
   */
  #readFrames(stream: Duplex): void {
    const frames = new FrameReader(FRAME_BYTES_MAX);
    let received = 0;
    stream.prependListener('data', (chunk: Buffer) => frames.read(chunk));
    this.#socket.on('message', (data, isBinary) => {
      received += 1;
      if (received <= frames.messages) this.#receive(data.toString(), isBinary);
    });
    stream.on('data', () => {
      if (frames.exceeded) this.close(TOO_BIG);
    });
  }

  #receive(text: string, isBinary: boolean): void {
    if (!this.isOpen) return;
    if (isBinary) {
      this.close(NOT_TEXT);
      return;
    }
    this.#lastActiveAt = this.#clock.now();
    this.#onMessage(text);
  }

  #untilClosed(): Promise<Closing> {
    // What the client did wrong: `ws` has already answered with this code.
    this.#socket.on('error', (error) => {
      this.#closing ??= violation(error);
    });
    return new Promise((resolve) => {
      this.#socket.once('close', (code, reason) => {
        this.#cancelTimer();
        resolve(this.#closing ?? closedByClient(code, reason.toString()));
      });
    });
  }

  /** One timer for both limits, set anew only when it fires: a message costs no timer. */
  #watchTime(): void {
    const now = this.#clock.now();
    const deadline = Math.min(this.#lastActiveAt + IDLE_MS_MAX, this.connectedAt + CONNECTION_MS_MAX);
    if (deadline <= now) this.close(GOING_AWAY);
    else this.#cancelTimer = this.#clock.after(deadline - now, () => this.#watchTime());
  }
}

/** Cached, because the same message goes to many connections one after the other. */
const framesOf = lastOf(
  (text: Buffer): Buffer => encodeMessage(text, FRAME_BYTES_MAX),
  (a, b) => a.equals(b),
);

function closedByClient(code: number, reason: string): Closing {
  // 1005 means that the close frame had no code (RFC 6455 §7.4.1); the text is AWS's.
  if (code === 1005) return { code, reason: 'Client-side close frame status not set' };
  // 1006: no close frame at all. AWS notices at the idle timeout if ever; here it is known at once: [inference].
  return { code, reason };
}

/** The code that `ws` closes with, which it shows in its error only by name. Its others are protocol errors. */
function violation(error: Error & { readonly code?: string }): Closing {
  switch (error.code) {
    case 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH':
    case 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH':
      return TOO_BIG;
    case 'WS_ERR_INVALID_UTF8':
      return { code: 1007, reason: '' };
    case 'WS_ERR_TOO_MANY_BUFFERED_PARTS':
      return { code: 1008, reason: '' };
    default:
      return { code: 1002, reason: '' };
  }
}
