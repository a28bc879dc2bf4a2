import type { IncomingMessage, ServerResponse } from 'node:http';

const LIMITS = {
  /** More than a post has, and nearly every other request: so much of a body is always taken, and not counted. */
  ordinaryBytesMax: 256 * 1024,
  /** Of what all bodies have beyond that, at once: four of the largest that any service takes. */
  heldBytesMax: 64 * 1024 * 1024,
};

/** Why a body is not read to its end: it is larger than is of any use, or there are too many at once. */
type BodyFault = 'too large' | 'no room';

/** Reads the bodies of requests, and holds only so much of large ones at once, whoever sends them. */
export class Bodies {
  readonly #limits: typeof LIMITS;
  #heldBytes = 0;

  constructor(limits = LIMITS) {
    this.#limits = limits;
  }

  /** Of what is counted. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Calls back once: with the body when it has come whole, or with what is wrong with it as soon as that is known. It is
   * counted until the response is out. What comes after a fault is read and dropped, so that the client, which may be
   * sending still, hears the answer.
   */
  read(
    request: IncomingMessage,
    response: ServerResponse,
    bytesMax: number,
    done: (body: Buffer | BodyFault) => void,
  ): void {
    const { ordinaryBytesMax, heldBytesMax } = this.#limits;
    const chunks: Buffer[] = [];
    let bytes = 0;
    let counted = 0;
    let isDone = false;
    const letGo = (): void => {
      this.#heldBytes -= counted;
      counted = 0;
      chunks.length = 0;
    };
    const fail = (fault: BodyFault): void => {
      isDone = true;
      letGo();
      done(fault);
    };
    response.once('close', () => {
      isDone = true;
      letGo();
    });
    request.on('data', (chunk: Buffer) => {
      if (isDone) return;
      bytes += chunk.length;
      if (bytes > bytesMax) return fail('too large');
      const more = Math.max(bytes - ordinaryBytesMax, 0) - counted;
      if (this.#heldBytes + more > heldBytesMax) return fail('no room');
      chunks.push(chunk);
      counted += more;
      this.#heldBytes += more;
    });
    request.once('end', () => {
      if (isDone) return;
      isDone = true;
      done(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) fail('too large');
  }
}
