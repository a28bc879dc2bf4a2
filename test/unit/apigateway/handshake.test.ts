import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { handshakeFault } from '../../../infra/local/apigateway/handshake.ts';

const HEADERS = {
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
const requestWith = (headers: Readonly<Record<string, string>>) =>
  ({ method: 'GET', url: '/prod', headers: { ...HEADERS, ...headers } }) as unknown as IncomingMessage;

/** What `ws` makes of it. */
function isTaken(request: IncomingMessage): boolean {
  let isOpen = false;
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  server.handleUpgrade(request, socket, Buffer.alloc(0), () => {
    isOpen = true;
  });
  return isOpen;
}

// Node takes the white space off both ends of a value.
const value = fc.string({ unit: fc.constantFrom(...'ab~,; \t"=\u00a0é13') }).map((text) => text.trim());

it('lets no request on to $connect that cannot become a WebSocket', () => {
  const seen = { true: 0, false: 0 };
  fc.assert(
    fc.property(
      fc.record(
        {
          'sec-websocket-protocol': fc.oneof(
            value,
            fc.constantFrom('', 'a, b', 'a\t,b', 'a,a', 'a,,b', 'a b', 'a,'),
          ),
          'sec-websocket-extensions': value,
          'sec-websocket-key': fc.oneof(value, fc.base64String({ minLength: 20, maxLength: 28 })),
          'sec-websocket-version': fc.oneof(value, fc.constant('13')),
        },
        { requiredKeys: [] },
      ),
      (headers) => {
        const request = requestWith(headers);
        const isLetOn = handshakeFault(request) === undefined;
        seen[`${isLetOn}`]++;
        if (isLetOn) expect(isTaken(request)).toBe(true);
      },
    ),
    { numRuns: 2_000 },
  );
  expect(Math.min(seen.true, seen.false)).toBeGreaterThan(50);
});

it.each(['a', 'a,b', 'a , b', 'fanwire, bearer.e30.e30.x-_', "!#$%&'*+-.^_`|~"])(
  'takes the subprotocols %j',
  (protocols) => {
    expect(handshakeFault(requestWith({ 'sec-websocket-protocol': protocols }))).toBeUndefined();
  },
);

it.each(['', ',', 'a,a', 'a, a', 'a,,b', 'a,', 'a b', 'a;b', 'é', 'a,\u00a0b'])(
  'refuses the subprotocols %j',
  (protocols) => {
    expect(handshakeFault(requestWith({ 'sec-websocket-protocol': protocols }))).toBe(400);
  },
);
