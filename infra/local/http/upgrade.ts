import type { HttpRequest } from './engine.ts';

const WEBSOCKET = /(?:^|,)[\t ]*websocket[\t ]*(?:,|$)/i;

/**
 * Whether a request asks for a WebSocket. Whoever asks for another protocol, as Java's HttpClient and `curl --http2` do
 * with every request (`Upgrade: h2c`), is answered as if it had not (RFC 9110 §7.8). A WebSocket begins with a GET
 * (RFC 6455 §4.1).
 */
export const isWebSocketUpgrade = ({ method, headers: { upgrade } }: HttpRequest): boolean =>
  method === 'GET' && upgrade !== undefined && WEBSOCKET.test(upgrade);
