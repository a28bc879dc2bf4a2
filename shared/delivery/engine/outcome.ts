import type { Answer } from '../../aws/http/transport.ts';
import type { PostOutcome } from '../sdk-post.ts';
import { answerError } from './answer-error.ts';

const DELIVERED: PostOutcome = { outcome: 'delivered' };
const GONE: PostOutcome = { outcome: 'gone' };

/** What an answer means, or an error in its place. Statuses and reasons are those of the SDK's post. */
export function outcomeOf(result: Answer | Error): PostOutcome {
  if (result instanceof Error) return { outcome: 'failed', reason: reasonOf(result) };
  const { status } = result;
  if (status >= 200 && status < 300) return DELIVERED;
  // 400 is for an id that no connection will ever have.
  if (status === 410 || status === 400) return GONE;
  const reason = `${answerError(result).name} (HTTP ${status})`;
  return { outcome: status === 429 ? 'throttled' : 'failed', reason };
}

const reasonOf = ({ name, message }: Error): string =>
  name === 'TimeoutError' ? message : `${name}: ${message}`;
