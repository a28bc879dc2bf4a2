/** How AWS is called: over sockets of our own, or by the official clients as they come. */
export const TRANSPORTS = ['sockets', 'sdk'] as const;
export type TransportName = (typeof TRANSPORTS)[number];
