import type { HttpEngine, HttpRequest, HttpResponse } from './engine.ts';

export interface File {
  readonly contentType: string;
  readonly body: string;
}

const METHODS = 'GET, HEAD, OPTIONS';

/**
 * People's own pages, of other origins, load the client from here: as a module that takes CORS (HTML, "fetch a module
 * script"). Those that may not are refused before.
 */
const FOR_EVERY_ORIGIN = { 'access-control-allow-origin': '*' };

const PREFLIGHT = {
  ...FOR_EVERY_ORIGIN,
  'access-control-allow-methods': METHODS,
  'access-control-allow-headers': '*',
  'access-control-max-age': '86400',
};

/** Serves a file to those who read it. */
export const fileEngine = ({ contentType, body }: File): HttpEngine => ({
  bodyBytesMax: () => 0,
  handle: ({ method = '' }: HttpRequest, _body: Buffer, response: HttpResponse): void => {
    switch (method) {
      case 'GET':
      case 'HEAD':
        response.writeHead(200, {
          ...FOR_EVERY_ORIGIN,
          'content-type': contentType,
          'content-length': Buffer.byteLength(body),
          'cache-control': 'no-cache',
        });
        response.end(method === 'GET' ? body : '');
        return;
      case 'OPTIONS':
        response.writeHead(204, PREFLIGHT).end();
        return;
      default:
        response.writeHead(405, { allow: METHODS, 'content-type': 'text/plain; charset=utf-8' });
        response.end(`expected one of ${METHODS}, got ${method}\n`);
    }
  },
});
