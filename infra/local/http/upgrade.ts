import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { HttpRequest } from './engine.ts';

const WEBSOCKET = /(?:^|,)[\t ]*websocket[\t ]*(?:,|$)/i;

/**
 * Whether a request asks for a WebSocket. Whoever asks for another protocol, as Java's HttpClient and `curl --http2` do
 * with every request (`Upgrade: h2c`), is answered as if it had not (RFC 9110 §7.8). A WebSocket begins with a GET
 * (RFC 6455 §4.1).
 */
export const isWebSocketUpgrade = ({ method, headers: { upgrade } }: HttpRequest): boolean =>
  method === 'GET' && upgrade !== undefined && WEBSOCKET.test(upgrade);

export const statusText = (status: number): string => STATUS_CODES[status] ?? 'Unknown';

/** Answers an upgrade with an ordinary HTTP response. What AWS puts into the body is [inference]. */
export function refuse(socket: Duplex, status: number, body = `{"message":"${statusText(status)}"}`): void {
  const lines = [
    `HTTP/1.1 ${status} ${statusText(status)}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
