import type { Writer } from '../../http/sockets.ts';
import { CONTENT_TYPE, type SignedRequest, type Stamp } from './signer.ts';

/** With a small message; for a larger one memory is taken each time. */
const ROOM_BYTES = 4 * 1024;

/** Writes the requests of one socket down for HTTP/1.1. */
export class RequestWriter implements Writer<SignedRequest> {
  readonly #host: string;
  readonly #room = Buffer.allocUnsafeSlow(ROOM_BYTES);
  /** The part of the room that the last request took: most are as long as the one before. */
  #view = this.#room;
  #stamp: Stamp | undefined;
  /** Between path and signature: the same for every request with one stamp. */
  #middle = '';

  constructor(host: string) {
    this.#host = host;
  }

  bytesOf({ path, stamp, signature, body, traceId }: SignedRequest, isWritten: boolean): Buffer {
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.#middle = this.#middleOf(stamp);
    }
    const trace = traceId === undefined ? '' : `\r\nx-amzn-trace-id: ${traceId}`;
    const head = `POST ${path}${this.#middle}${signature}${trace}\r\ncontent-length: ${body.length}\r\n\r\n`;
    const length = head.length + body.length;
    const bytes = isWritten && length <= ROOM_BYTES ? this.#viewOf(length) : Buffer.allocUnsafe(length);
    bytes.write(head, 'latin1');
    bytes.set(body, head.length);
    return bytes;
  }

  #viewOf(length: number): Buffer {
    if (this.#view.length !== length) this.#view = this.#room.subarray(0, length);
    return this.#view;
  }

  #middleOf({ date, sessionToken, authorization }: Stamp): string {
    const token = sessionToken ? `x-amz-security-token: ${sessionToken}\r\n` : '';
    return (
      ` HTTP/1.1\r\nhost: ${this.#host}\r\ncontent-type: ${CONTENT_TYPE}\r\n` +
      `x-amz-date: ${date}\r\n${token}authorization: ${authorization}`
    );
  }
}
