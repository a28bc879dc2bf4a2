import type { Answer } from '../../aws/http/transport.ts';
import { DELIVERED, GONE, meansGone, type PostOutcome } from '../post.ts';
import { answerError } from './answer-error.ts';

/** What an answer means, or an error in its place. Reasons are worded as those of the SDK's post. */
export function outcomeOf(result: Answer | Error): PostOutcome {
  if (result instanceof Error) return { outcome: 'failed', reason: reasonOf(result) };
  const { status } = result;
  if (status >= 200 && status < 300) return DELIVERED;
  if (meansGone(status)) return GONE;
  const reason = `${answerError(result).name} (HTTP ${status})`;
  return { outcome: status === 429 ? 'throttled' : 'failed', reason };
}

const reasonOf = ({ name, message }: Error): string =>
  name === 'TimeoutError' ? message : `${name}: ${message}`;
