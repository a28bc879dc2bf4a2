/**
 * The gateway's bounds. The quotas are API Gateway's and not adjustable there, so they are no settings here
 * (developer guide, "Quotas for configuring and running a WebSocket API").
 */

/** A longer frame from a client closes its connection with 1009. */
export const FRAME_BYTES_MAX = 32 * 1024;

/** A longer message closes with 1009, from a client; a longer one for a client is refused with 413. */
export const MESSAGE_BYTES_MAX = 128 * 1024;

/** A longer body of a call to @connections is refused before its signature is looked at. The number is ours. */
export const MANAGEMENT_BYTES_MAX = 1024 * 1024;

export const IDLE_MS_MAX = 10 * 60 * 1000;

export const CONNECTION_MS_MAX = 2 * 60 * 60 * 1000;

/**
 * What may wait for one slow reader beyond the kernel's own buffers before a post gets 429. AWS says that
 * "the WebSocket client side buffer is full" is such a case, not how large the buffer is: [inference].
 */
export const OUTBOUND_BYTES_WAITING_MAX = 1024 * 1024;

/** How long a peer may take to answer a close frame before its socket is cut: [inference]. */
export const CLOSE_HANDSHAKE_MS_MAX = 1000;

/** AWS says it of integrations only; that an authorizer has as long is [inference]. */
export const AUTHORIZER_MS_MAX = 29_000;

/** Of what an authorizer returns, as JSON. */
export const AUTHORIZER_RESULT_BYTES_MAX = 8 * 1024;
