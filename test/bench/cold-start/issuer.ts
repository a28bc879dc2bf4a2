/** The issuer of identity tokens that the endpoint at this port plays. */
export const issuerAt = (port: number): string => `http://127.0.0.1:${port}`;
