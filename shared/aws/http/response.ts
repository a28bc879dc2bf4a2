import { type Answer, BODY_BYTES_MAX, HEAD_BYTES_MAX } from './transport.ts';

/** The peer sent something that is no HTTP/1.1 response to a POST, or more than the limits allow. */
export class BadResponse extends Error {
  override readonly name = 'BadResponse';
}

/** A chunk's size with its extensions, which are rare and ignored. */
const CHUNK_LINE_BYTES_MAX = 256;
const NO_BODY = new Uint8Array();

/**
 * One whole head: status line, then headers. Every class excludes what may follow it, so this takes linear time.
 * Folded lines, bare CR or LF and other control characters are no part of it (RFC 9112, 2.2 and 5.2).
 */
const HEAD =
  /^HTTP\/1\.[01] [1-9]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*)*$/;
const START = 'HTTP/1.';
const DIGITS = /^\d{1,15}$/;
const CHUNK_LINE = /^([0-9a-fA-F]{1,8})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

type State = 'head' | 'length' | 'chunk' | 'data' | 'trailers' | 'close' | 'done';

/** What the head says. */
interface Head {
  status: number;
  errorType: string;
  requestId: string;
  date: string;
  length: number | undefined;
  chunked: boolean;
  keepAlive: boolean;
  headers: Record<string, string> | undefined;
}

export interface ResponseLimits {
  readonly bodyBytesMax?: number;
  /** Whether answers have all headers, and not only those that posts are judged by. */
  readonly allHeaders?: boolean;
}

/**
 * Reads responses of one socket, however they are cut up. It works on Latin-1 text, one character a byte: responses are
 * small, usually complete in one piece, and the fast string functions then do the work.
 */
export class ResponseReader {
  /** After an answer: whether the socket may be used again. */
  keepAlive = false;
  #state: State = 'head';
  #text = '';
  /** How far `#text` was searched for an end of line or head, so that an answer in many pieces takes linear time. */
  #searched = 0;
  /** Bytes of heads (interim ones too) and trailers so far, for the limit. */
  #headBytes = 0;
  #head: Head | undefined;
  #body = '';
  #missing = 0;
  readonly #bodyBytesMax: number;
  readonly #allHeaders: boolean;

  constructor({ bodyBytesMax = BODY_BYTES_MAX, allHeaders = false }: ResponseLimits = {}) {
    this.#bodyBytesMax = bodyBytesMax;
    this.#allHeaders = allHeaders;
  }

  /** Whether a part of a response has come. */
  get begun(): boolean {
    return this.#state !== 'head' || this.#text !== '' || this.#headBytes > 0;
  }

  /** Takes the next bytes, and answers once the response is complete. Throws nothing but BadResponse. */
  read(bytes: Buffer, length = bytes.length): Answer | undefined {
    this.#text += bytes.toString('latin1', 0, length);
    return this.#advance();
  }

  /** The peer has closed: some responses end only so. */
  end(): Answer | undefined {
    return this.#state === 'close' ? this.#finish() : undefined;
  }

  #advance(): Answer | undefined {
    for (;;) {
      switch (this.#state) {
        case 'head':
          if (!this.#readHead()) return undefined;
          break;
        case 'length':
          return this.#readData() ? this.#finish() : undefined;
        case 'chunk':
          if (!this.#readChunkLine()) return undefined;
          break;
        case 'data':
          if (!this.#readChunkData()) return undefined;
          break;
        case 'trailers':
          return this.#readTrailers() ? this.#finish() : undefined;
        case 'done':
          return this.#finish();
        case 'close':
          this.#body += this.#take(this.#text.length);
          if (this.#body.length > this.#bodyBytesMax) throw tooLong('body', this.#bodyBytesMax);
          return undefined;
      }
    }
  }

  /** Answers whether the state has changed, so that reading goes on. */
  #readHead(): boolean {
    const text = this.#text;
    const end = text.indexOf('\r\n\r\n', Math.max(0, this.#searched - 3));
    // A whole head is checked by HEAD; what cannot become one is refused at once.
    if (end < 0 && !text.startsWith(START.slice(0, text.length))) {
      throw new BadResponse('expected an HTTP/1.1 response');
    }
    if (this.#headBytes + (end < 0 ? text.length : end + 4) > HEAD_BYTES_MAX) {
      throw tooLong('head', HEAD_BYTES_MAX);
    }
    if (end < 0) {
      this.#searched = text.length;
      return false;
    }
    this.#headBytes += end + 4;
    const head = parseHead(text.slice(0, end), this.#allHeaders);
    this.#take(end + 4);
    if (head.status < 200) {
      if (head.status === 101) throw new BadResponse('expected no upgrade');
      return this.#text !== '';
    }
    this.#head = head;
    this.#state = this.#bodyOf(head);
    return true;
  }

  #bodyOf(head: Head): State {
    if (head.status === 204 || head.status === 304) return 'done';
    if (head.chunked) return 'chunk';
    if (head.length === undefined) {
      head.keepAlive = false;
      return 'close';
    }
    if (head.length > this.#bodyBytesMax) throw tooLong('body', this.#bodyBytesMax);
    this.#missing = head.length;
    return head.length === 0 ? 'done' : 'length';
  }

  #readData(): boolean {
    const part = this.#take(Math.min(this.#missing, this.#text.length));
    this.#body += part;
    this.#missing -= part.length;
    return this.#missing === 0;
  }

  #readChunkLine(): boolean {
    const line = this.#takeLine(CHUNK_LINE_BYTES_MAX);
    if (line === undefined) return false;
    const [, size] = CHUNK_LINE.exec(line) ?? [];
    if (size === undefined) throw new BadResponse('expected the size of a chunk');
    this.#missing = Number.parseInt(size, 16);
    if (this.#body.length + this.#missing > this.#bodyBytesMax) throw tooLong('body', this.#bodyBytesMax);
    this.#state = this.#missing === 0 ? 'trailers' : 'data';
    return true;
  }

  #readChunkData(): boolean {
    if (!this.#readData()) return false;
    if (this.#text.length < 2) {
      if (!'\r\n'.startsWith(this.#text)) throw new BadResponse('expected the end of a chunk');
      return false;
    }
    if (this.#take(2) !== '\r\n') throw new BadResponse('expected the end of a chunk');
    this.#state = 'chunk';
    return true;
  }

  #readTrailers(): boolean {
    for (;;) {
      const line = this.#takeLine(HEAD_BYTES_MAX - this.#headBytes);
      if (line === undefined) return false;
      if (line === '') return true;
      this.#headBytes += line.length + 2;
    }
  }

  #takeLine(bytesMax: number): string | undefined {
    const end = this.#text.indexOf('\r\n', Math.max(0, this.#searched - 1));
    if ((end < 0 ? this.#text.length : end) > bytesMax) throw tooLong('line', bytesMax);
    if (end < 0) {
      this.#searched = this.#text.length;
      return undefined;
    }
    const line = this.#text.slice(0, end);
    this.#take(end + 2);
    return line;
  }

  #take(length: number): string {
    const part = this.#text.slice(0, length);
    this.#text = length === this.#text.length ? '' : this.#text.slice(length);
    this.#searched = 0;
    return part;
  }

  #finish(): Answer {
    const { status, errorType, requestId, date, keepAlive, headers } = this.#head as Head; // set before any state that leads here
    const body = this.#body === '' ? NO_BODY : Buffer.from(this.#body, 'latin1');
    // Bytes after the answer belong to no request: where the next response begins is no longer certain.
    this.keepAlive = keepAlive && this.#text === '';
    this.#state = 'head';
    this.#text = '';
    this.#searched = 0;
    this.#headBytes = 0;
    this.#head = undefined;
    this.#body = '';
    return { status, errorType, requestId, date, body, headers };
  }
}

const tooLong = (what: string, bytesMax: number): BadResponse =>
  new BadResponse(`expected a ${what} of at most ${bytesMax} bytes`);

function parseHead(text: string, allHeaders: boolean): Head {
  if (!HEAD.test(text)) throw new BadResponse('expected a status line and headers');
  const head: Head = {
    status: Number(text.slice(9, 12)),
    errorType: '',
    requestId: '',
    date: '',
    length: undefined,
    chunked: false,
    keepAlive: text[7] === '1',
    headers: allHeaders ? {} : undefined,
  };
  let start = text.indexOf('\r\n');
  while (start >= 0) {
    const end = text.indexOf('\r\n', start + 2);
    const colon = text.indexOf(':', start);
    readHeader(head, text, start + 2, colon, end < 0 ? text.length : end);
    start = end;
  }
  if (head.chunked && head.length !== undefined) throw new BadResponse('expected one length of the body');
  return head;
}

function readHeader(head: Head, text: string, start: number, colon: number, end: number): void {
  if (head.headers) keepHeader(head.headers, text, start, colon, end);
  if (!NAME_LENGTHS.has(colon - start)) return;
  SETTERS.get(text.slice(start, colon).toLowerCase())?.(head, text.slice(colon + 1, end).trim());
}

/** Values of several headers with one name are joined to a list (RFC 9110 §5.3). */
function keepHeader(
  headers: Record<string, string>,
  text: string,
  start: number,
  colon: number,
  end: number,
): void {
  const name = text.slice(start, colon).toLowerCase();
  const value = text.slice(colon + 1, end).trim();
  headers[name] = Object.hasOwn(headers, name) ? `${headers[name]}, ${value}` : value;
}

type SetHeader = (head: Head, value: string) => void;

const setRequestId: SetHeader = (head, value) => {
  head.requestId = value;
};
/** The headers that say something of the answer. */
const SETTERS: ReadonlyMap<string, SetHeader> = new Map(
  Object.entries<SetHeader>({
    date: (head, value) => {
      head.date = value;
    },
    connection: (head, value) => {
      head.keepAlive = keepsAlive(value, head.keepAlive);
    },
    'content-length': (head, value) => {
      if (head.length !== undefined || !DIGITS.test(value))
        throw new BadResponse('expected one content-length');
      head.length = Number(value);
    },
    'transfer-encoding': (head, value) => {
      if (head.chunked || value.toLowerCase() !== 'chunked') throw new BadResponse('expected chunks or none');
      head.chunked = true;
    },
    'x-amzn-errortype': (head, value) => {
      head.errorType = value;
    },
    'x-amzn-requestid': setRequestId,
    'x-amzn-request-id': setRequestId,
    'x-amz-request-id': setRequestId,
  }),
);
/** A cheap filter: a header whose name has another length is none of these, and is not even cut out of the text. */
const NAME_LENGTHS: ReadonlySet<number> = new Set([...SETTERS.keys()].map(({ length }) => length));

/** HTTP/1.0 closes unless it says otherwise, HTTP/1.1 keeps. */
function keepsAlive(value: string, otherwise: boolean): boolean {
  const options = value.toLowerCase();
  if (options === 'keep-alive') return true;
  return options.split(',').some((option) => option.trim() === 'close') ? false : otherwise;
}
