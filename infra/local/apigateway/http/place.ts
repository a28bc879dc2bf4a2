/** Where an HTTP API is at the local endpoint: one port has a path for each, in place of a host. */
export const pathOfApi = (apiId: string): string => `/_http/${apiId}`;
