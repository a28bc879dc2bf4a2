/** The part of the SDK's `HttpRequest` that services with a JSON protocol use. */
export interface Request {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly method: string;
  readonly path: string;
  readonly query?: object;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** No CR, LF or space: nothing in it can end the request line. */
const PATH = /^[\x21-\x7e]+$/;
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export const isPlainBody = (body: unknown): body is string | Uint8Array | undefined =>
  body === undefined || typeof body === 'string' || body instanceof Uint8Array;

/** The request as HTTP/1.1 writes it. Throws what this client cannot send. */
export function encodeRequest({ method, path, query = {}, headers, body }: Request): Buffer {
  if (!PATH.test(path)) throw new TypeError(`expected an encoded path, got ${JSON.stringify(path)}`);
  if (Object.keys(query).length > 0) throw new TypeError(`expected no query, got one to ${path}`);
  if (!isPlainBody(body)) throw new TypeError(`expected a body of text or bytes, got ${typeof body}`);
  let head = `${method} ${path} HTTP/1.1\r\n`;
  for (const name in headers) head += fieldOf(name, headers[name] as string);
  head += '\r\n';
  const content = typeof body === 'string' ? Buffer.from(body) : (body ?? new Uint8Array());
  const bytes = Buffer.allocUnsafe(head.length + content.length);
  bytes.write(head, 'latin1');
  bytes.set(content, head.length);
  return bytes;
}

/** A line of a head. */
export function fieldOf(name: string, value: string): string {
  if (!NAME.test(name) || !VALUE.test(value)) {
    throw new TypeError(`expected a header of one line of Latin-1, got ${JSON.stringify(name)}`);
  }
  return `${name}: ${value}\r\n`;
}
