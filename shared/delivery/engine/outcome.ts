import type { Answer } from '../../aws/http/transport.ts';
import { DELIVERED, GONE, meansGone, type PostOutcome, unanswered } from '../post.ts';
import { answerError } from './answer-error.ts';

/** What an answer means, or an error in its place. Reasons are worded as those of the SDK's post. */
export function outcomeOf(result: Answer | Error, timeoutMs: number): PostOutcome {
  if (result instanceof Error) return outcomeOfError(result, timeoutMs);
  const { status } = result;
  if (status >= 200 && status < 300) return DELIVERED;
  if (meansGone(status)) return GONE;
  const reason = `${answerError(result).name} (HTTP ${status})`;
  return { outcome: status === 429 ? 'throttled' : 'failed', reason };
}

const outcomeOfError = ({ name, message }: Error, timeoutMs: number): PostOutcome =>
  name === 'TimeoutError' ? unanswered(timeoutMs) : { outcome: 'failed', reason: `${name}: ${message}` };
