import { type OutgoingHttpHeaders, STATUS_CODES } from 'node:http';
import { lastOf } from '../../last.ts';
import type { HttpRequest, HttpResponse } from '../engine.ts';

/** Its headers' names are in lower case. */
interface WholeRequest extends HttpRequest {
  readonly body: Buffer;
}

const LINE_END = '\r\n';
const HEAD_END = '\r\n\r\n';
/** As clients write it by the thousand. Written in another way it is a header like the others. */
const AUTHORIZATION = '\r\nauthorization:';
const START = /^(GET|POST|PUT|DELETE) (\/[\x21-\x7e]*) HTTP\/1\.1$/;
/** RFC 9110 §5.5 and §5.6.2. */
const FIELD = /^([\w!#$%&'*+.^`|~-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/;
/** Each of them asks for more than a plain answer. */
const UNUSUAL = new Set([
  'expect',
  'proxy-connection',
  'set-cookie',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Well within what a server takes: Node refuses more than 16 KB. */
const HEAD_BYTES_MAX = 8 * 1024;
const KEEP_ALIVE = 'keep-alive';

/**
 * Reads a request that came in one piece, whole and alone, as clients send it by the thousand: the plainest of
 * HTTP/1.1, with nothing unusual about it. All else is undefined, and for a real HTTP server to read. Node's server would
 * make a stream of each: `npm run bench -- system` shows the difference, see `dial.ts`.
 */
export function readWhole(bytes: Buffer): WholeRequest | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0 || end > HEAD_BYTES_MAX) return undefined;
  const [head, signed] = cut(bytes.toString('latin1', 0, end), AUTHORIZATION);
  const [start, before] = cut(head, LINE_END);
  const [, method, url] = START.exec(start) ?? [];
  const headers = method === undefined ? undefined : headersOf(before, signed);
  if (!headers?.host || (headers.connection ?? KEEP_ALIVE) !== KEEP_ALIVE) return undefined;
  const body = bytes.subarray(end + HEAD_END.length);
  if ((headers['content-length'] ?? '0') !== String(body.length)) return undefined;
  return { method, url, headers, body };
}

type Headers = Readonly<Record<string, string>>;

/** `signed` begins with the value of Authorization, if there is one. */
function headersOf(before: string | undefined, signed: string | undefined): Headers | undefined {
  if (signed === undefined) return usualHeaders({ before });
  const [value, after] = cut(signed, LINE_END);
  const usual = usualHeaders({ before, after });
  const field = parseField(`authorization:${value}`);
  return usual && field && !(field.name in usual) ? { ...usual, [field.name]: field.value } : undefined;
}

interface Lines {
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/** All but the signature are the same in every post of a second. */
const usualHeaders = lastOf(
  ({ before, after }: Lines): Headers | undefined => {
    const headers: Record<string, string> = {};
    for (const line of [before, after].flatMap((lines) => lines?.split(LINE_END) ?? [])) {
      const field = parseField(line);
      if (!field || field.name in headers) return undefined;
      headers[field.name] = field.value;
    }
    return headers;
  },
  (a, b) => a.before === b.before && a.after === b.after,
);

interface Field {
  readonly name: string;
  readonly value: string;
}

function parseField(line: string): Field | undefined {
  const [, name = '', value = ''] = FIELD.exec(line) ?? [];
  const key = name.toLowerCase();
  return key === '' || UNUSUAL.has(key) ? undefined : { name: key, value: value.replace(/[\t ]+$/, '') };
}

/** What is before the first `separator`, and what after it. */
function cut(text: string, separator: string): [before: string, after?: string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** An answer that goes back in one piece. */
export class WholeResponse implements HttpResponse {
  statusCode = 200;
  readonly #reply: (bytes: Uint8Array) => void;
  #headers: Record<string, string | readonly string[]> | undefined;
  #isSent = false;

  constructor(reply: (bytes: Uint8Array) => void) {
    this.#reply = reply;
  }

  setHeader(name: string, value: string | readonly string[]): this {
    this.#headers = { ...this.#headers, [name.toLowerCase()]: value };
    return this;
  }

  writeHead(status: number, headers: OutgoingHttpHeaders = {}): this {
    this.statusCode = status;
    for (const [name, value] of Object.entries(headers)) {
      this.setHeader(name, Array.isArray(value) ? value : String(value));
    }
    return this;
  }

  /** What comes after it would be taken for the answer to the next request. */
  end(body: string | Uint8Array = ''): void {
    if (this.#isSent) return;
    this.#isSent = true;
    const second = Math.floor(Date.now() / 1000);
    const isPlain = body === '' && this.statusCode === 200 && this.#headers === undefined;
    this.#reply(isPlain ? plainAnswer(second) : this.#answer(body, second));
  }

  #answer(content: string | Uint8Array, second: number): Buffer {
    // RFC 9110 §8.6: no length where there can be no body.
    const isBodiless = this.statusCode === 204;
    const body = isBodiless ? Buffer.alloc(0) : toBytes(content);
    const headers: Record<string, string | readonly string[]> = { date: httpDate(second), ...this.#headers };
    if (!isBodiless) headers['content-length'] = String(body.length);
    let head = `HTTP/1.1 ${this.statusCode} ${STATUS_CODES[this.statusCode] ?? ''}\r\n`;
    for (const name in headers) {
      const value = headers[name];
      if (typeof value === 'string') head += `${name}: ${value}\r\n`;
      else for (const each of value ?? []) head += `${name}: ${each}\r\n`;
    }
    return Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), body]);
  }
}

const toBytes = (content: string | Uint8Array): Uint8Array =>
  typeof content === 'string' ? Buffer.from(content) : content;

/** Of the same second it is always the same (RFC 9110 §5.6.7). */
const httpDate = lastOf((second: number): string => new Date(second * 1000).toUTCString());

/** What nearly every post to a connection is answered. */
const plainAnswer = lastOf(
  (second: number): Buffer =>
    Buffer.from(`HTTP/1.1 200 OK\r\ndate: ${httpDate(second)}\r\ncontent-length: 0\r\n\r\n`),
);
