import type { AuthorizerEvent, AuthorizerResult } from './events.ts';
import { logger } from './logger.ts';
import { lastResort } from './middleware/last-resort.ts';
import { logContext } from './middleware/log-context.ts';
import { type Handler, stack } from './stack.ts';

/** Whether a handshake goes on to `$connect`, and with what context, or which status it is refused with, and why. */
export type Verdict =
  | { readonly principalId: string; readonly context: NonNullable<AuthorizerResult['context']> }
  | { readonly status: 401 | 403; readonly reason: string; readonly hint?: string };

/** The stack of an authorizer. What it throws becomes status 500: its client may come again. */
export function authorizer(
  run: (event: AuthorizerEvent) => Promise<Verdict>,
): Handler<AuthorizerEvent, AuthorizerResult> {
  const judge: Handler<AuthorizerEvent, Verdict> = stack(
    [logContext(), lastResort()],
    async (event: AuthorizerEvent) => {
      const verdict = await run(event);
      if ('reason' in verdict) logger.warn(refusal(verdict), verdict);
      return verdict;
    },
  );
  // Outside of the stack, for which every error is a failure.
  return async (event, context) => toResult(await judge(event, context), event.methodArn);
}

/** With the reason, which a terminal shows no more of than this. */
const refusal = ({ reason, hint }: { readonly reason: string; readonly hint?: string }): string =>
  ['handshake refused', reason, ...(hint ? [hint] : [])].join(': ');

/** The policy allows this one handshake and nothing else. A refusal by policy is 403. */
function toResult(verdict: Verdict, methodArn: string): AuthorizerResult {
  if ('context' in verdict)
    return { ...resultOf(verdict.principalId, 'Allow', methodArn), context: verdict.context };
  // The one text that API Gateway takes for an answer (developer guide, "Use API Gateway Lambda authorizers").
  if (verdict.status === 401) throw unauthorized();
  return resultOf('refused', 'Deny', methodArn);
}

/** An answer, and no fault in the code: where it comes from is nothing for the log. */
function unauthorized(): Error {
  const error = new Error('Unauthorized');
  error.stack = String(error);
  return error;
}

const resultOf = (principalId: string, effect: 'Allow' | 'Deny', methodArn: string): AuthorizerResult => ({
  principalId,
  policyDocument: {
    Version: '2012-10-17',
    Statement: [{ Effect: effect, Action: 'execute-api:Invoke', Resource: methodArn }],
  },
});
