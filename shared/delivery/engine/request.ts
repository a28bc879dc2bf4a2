import type { Writer } from '../../aws/http/sockets.ts';
import { CONTENT_TYPE, type SignedRequest, type Stamp } from './signer.ts';

/** Size of the buffer that is used again and again; a larger request gets one of its own. */
const BUFFER_BYTES = 4 * 1024;
const METHOD = 'POST ';

/** Makes the bytes of one socket's requests, as HTTP/1.1 has them. */
export class RequestWriter implements Writer<SignedRequest> {
  readonly #host: string;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  /** The part of the buffer that the last request took: most are as long as the one before. */
  #view = this.#buffer;
  /** The request whose bytes are in the buffer. */
  #last: SignedRequest | undefined;
  #signatureAt = 0;
  #stamp: Stamp | undefined;
  /** Between path and signature: the same for every request with one stamp. */
  #middle = '';

  constructor(host: string) {
    this.#host = host;
  }

  bytesOf(request: SignedRequest, isWritten: boolean): Buffer {
    const { path, stamp, signature, body, traceId } = request;
    if (isWritten && this.#last && isShapedLike(request, this.#last)) return this.#overwrite(request);
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.#middle = this.#middleOf(stamp);
    }
    const trace = traceId === undefined ? '' : `\r\nx-amzn-trace-id: ${traceId}`;
    const head = `${METHOD}${path}${this.#middle}${signature}${trace}\r\ncontent-length: ${body.length}\r\n\r\n`;
    const length = head.length + body.length;
    const isKept = isWritten && length <= BUFFER_BYTES;
    const bytes = isKept ? this.#viewOf(length) : Buffer.allocUnsafe(length);
    bytes.write(head, 'latin1');
    bytes.set(body, head.length);
    if (isKept) {
      this.#last = request;
      this.#signatureAt = METHOD.length + path.length + this.#middle.length;
    }
    return bytes;
  }

  #viewOf(length: number): Buffer {
    if (this.#view.length !== length) this.#view = this.#buffer.subarray(0, length);
    return this.#view;
  }

  /** All other bytes are in the buffer already. */
  #overwrite(request: SignedRequest): Buffer {
    this.#last = request;
    this.#view.write(request.path, METHOD.length, 'latin1');
    this.#view.write(request.signature, this.#signatureAt, 'latin1');
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

/** Posts of one frame, made in one second, differ in path and signature and nothing else. */
const isShapedLike = (one: SignedRequest, other: SignedRequest): boolean =>
  one.stamp === other.stamp &&
  one.body === other.body &&
  one.traceId === other.traceId &&
  one.path.length === other.path.length &&
  one.signature.length === other.signature.length;
