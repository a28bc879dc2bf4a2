import type { EventOrigin } from './events.ts';
import type { Integration } from './integration.ts';
import { MESSAGE_BYTES_MAX } from './limits.ts';

export const GatewayError = {
  unauthorized: 'Unauthorized',
  forbidden: 'Forbidden',
  /** The text for a throttled message is not published anywhere: [inference]. */
  throttled: 'Too Many Requests',
  internal: 'Internal server error',
  timedOut: 'Endpoint request timed out',
} as const;
export type GatewayError = (typeof GatewayError)[keyof typeof GatewayError];

/** The gateway's own error text, byte for byte as captured: a space after the first colon and no other. */
export const errorText = (message: string, { connection, request }: EventOrigin): string =>
  `{"message": "${message}", "connectionId":"${connection.id}", "requestId":"${request.id}"}`;

/**
 * The frame that a client gets for its message, or nothing. Errors reach it from one-way routes too
 * (serverless-offline#674, a suite that also ran on AWS). With a route response the body is delivered
 * whatever the status code (yai333/React-Chat-App#2).
 */
export function replyText(
  integration: Integration,
  replies: boolean,
  origin: EventOrigin,
): string | undefined {
  if (integration === 'failed' || integration === 'denied') return errorText(GatewayError.internal, origin);
  if (integration === 'timed out') return errorText(GatewayError.timedOut, origin);
  if (!replies || integration.body === '') return undefined;
  // A reply that no client could be posted must not pass here and fail there: [inference].
  const fits = Buffer.byteLength(integration.body) <= MESSAGE_BYTES_MAX;
  return fits ? integration.body : errorText(GatewayError.internal, origin);
}
