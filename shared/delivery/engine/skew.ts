import type { Answer } from '../../aws/http/transport.ts';
import { answerError } from './answer-error.ts';

/** From this difference on the SDK takes the clock to be the reason: AWS accepts signatures for 5 minutes at least. */
const SKEW_MS_MIN = 4 * 60_000;
const TIME_ERRORS = new Set(['RequestExpired', 'RequestInTheFuture', 'RequestTimeTooSkewed']);

/**
 * The server's time, if an answer says that the request was signed for another. Errors of the signature in general, such
 * as InvalidSignatureException, are only taken to mean that when the Date header shows it.
 */
export function skewedServerMs(answer: Answer, signedAtMs: number): number | undefined {
  if (answer.status !== 403) return undefined;
  const serverMs = Date.parse(answer.date);
  if (Number.isNaN(serverMs)) return undefined;
  const isSkewed =
    Math.abs(serverMs - signedAtMs) >= SKEW_MS_MIN || TIME_ERRORS.has(answerError(answer).name);
  return isSkewed ? serverMs : undefined;
}
