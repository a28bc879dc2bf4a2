import type { Clock } from '../clock.ts';
import type { Invoke } from '../invoke.ts';

export interface IntegrationTarget {
  readonly functionArn: string;
  readonly timeoutMs: number;
}

/** What a Lambda proxy integration may return. */
export interface ProxyResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** `failed`: the handler threw, or the response was not one. */
export type Integration = ProxyResponse | 'failed' | 'timed out';

/**
 * Invokes a route's function and waits at most the integration's timeout. The invocation itself goes on
 * beyond it, as on AWS; its result then interests nobody.
 */
export async function integrate(
  { functionArn, timeoutMs }: IntegrationTarget,
  event: unknown,
  { invoke, clock }: { readonly invoke: Invoke; readonly clock: Clock },
): Promise<Integration> {
  const timeout = Promise.withResolvers<'timed out'>();
  const cancelTimeout = clock.after(timeoutMs, () => timeout.resolve('timed out'));
  const invocation = await Promise.race([invoke(functionArn, event), timeout.promise]);
  cancelTimeout();
  if (invocation === 'timed out') return invocation;
  return (invocation.ok && parseProxyResponse(invocation.payload)) || 'failed';
}

const RESPONSE_KEYS = new Set(['statusCode', 'headers', 'multiValueHeaders', 'body', 'isBase64Encoded']);

/**
 * As strict as AWS, or stricter: a handler that passes here must not fail there. One unknown key makes the
 * client get `Internal server error` (captured: middyjs/middy#1219). That a missing `statusCode` does too is
 * [inference]; REST APIs were seen to default it (aws-sam-cli#1154).
 */
export function parseProxyResponse(payload: unknown): ProxyResponse | undefined {
  if (!isRecord(payload) || !Object.keys(payload).every((key) => RESPONSE_KEYS.has(key))) return undefined;
  const { statusCode } = payload;
  const headers = payload.headers ?? {};
  const body = payload.body ?? '';
  if (!isFinalStatus(statusCode) || !isRecord(headers) || typeof body !== 'string') return undefined;
  return { statusCode, headers, body };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** 1xx announce another response: as the only one they would leave the client waiting, or upgraded. */
const isFinalStatus = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 200 && Number(value) <= 599;
