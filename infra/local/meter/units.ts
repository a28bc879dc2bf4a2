/** What AWS counts as one. Sources are the services' pricing pages, `infra/model/prices.ts` has their addresses. */

/** API Gateway, "WebSocket APIs": messages are metered in increments of 32 KB. */
const MESSAGE_BYTES = 32 * 1024;
/** SQS, "API actions": every 64 KB chunk of a payload is billed as one request. */
const REQUEST_BYTES = 64 * 1024;
/** EventBridge, "Custom events": a 64 KB chunk of payload is one event. */
const EVENT_BYTES = 64 * 1024;

export const messageUnits = (bytes: number): number => units(bytes, MESSAGE_BYTES);
export const requestUnits = (bytes: number): number => units(bytes, REQUEST_BYTES);
export const eventUnits = (bytes: number): number => units(bytes, EVENT_BYTES);

/** Nothing is still one. */
const units = (bytes: number, size: number): number => Math.max(1, Math.ceil(bytes / size));
