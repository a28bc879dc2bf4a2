import { isRecord } from '../../../shared/protocol/json.ts';
import type { Clock } from '../clock.ts';
import type { Invocation, Invoke } from '../lambda/invoke.ts';

interface IntegrationTarget {
  readonly functionArn: string;
  readonly timeoutMs: number;
}

export interface InvocationDeps {
  readonly invoke: Invoke;
  readonly clock: Clock;
}

/** What a Lambda proxy integration may return. */
interface ProxyResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** `failed`: the handler threw, or the response was not one. `denied`: API Gateway may not invoke it. */
export type Integration = ProxyResponse | 'failed' | 'denied' | 'timed out';

/** Invokes a route's function and says what came of it. */
export async function integrate(
  target: IntegrationTarget,
  event: unknown,
  deps: InvocationDeps,
): Promise<Integration> {
  const invocation = await invokeInTime(target, event, deps);
  if (invocation === 'timed out') return invocation;
  if (!invocation.ok && invocation.reason === 'denied') return 'denied';
  return (invocation.ok && parseProxyResponse(invocation.payload)) || 'failed';
}

/**
 * Waits for a function at most as long as its target allows. The invocation itself goes on beyond that, as on AWS;
 * its result is dropped.
 */
export async function invokeInTime(
  { functionArn, timeoutMs }: IntegrationTarget,
  event: unknown,
  { invoke, clock }: InvocationDeps,
): Promise<Invocation | 'timed out'> {
  const timeout = Promise.withResolvers<'timed out'>();
  const cancelTimeout = clock.after(timeoutMs, () => timeout.resolve('timed out'));
  const invocation = await Promise.race([invoke(functionArn, event), timeout.promise]);
  cancelTimeout();
  return invocation;
}

const RESPONSE_KEYS = new Set(['statusCode', 'headers', 'multiValueHeaders', 'body', 'isBase64Encoded']);

/**
 * As strict as AWS, or stricter: a handler that passes here must not fail there. One unknown key makes the
 * client get `Internal server error` (captured: middyjs/middy#1219). An object without a `statusCode` means 200, as
 * REST APIs were seen to default it (aws-sam-cli#1154), and no object at all is an error, as there; that WebSocket
 * APIs take after them is [inference].
 */
export function parseProxyResponse(payload: unknown): ProxyResponse | undefined {
  if (!isRecord(payload) || !Object.keys(payload).every((key) => RESPONSE_KEYS.has(key))) return undefined;
  const statusCode = payload.statusCode ?? 200;
  const headers = payload.headers ?? {};
  const body = payload.body ?? '';
  if (!isFinalStatus(statusCode) || !isRecord(headers) || typeof body !== 'string') return undefined;
  return { statusCode, headers, body };
}

/** 1xx announce another response: as the only one they would leave the client waiting, or upgraded. */
const isFinalStatus = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 200 && Number(value) <= 599;
