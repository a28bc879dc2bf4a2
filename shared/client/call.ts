import { FanwireError } from './errors.ts';

/**
 * Calls the application's code, and gives a promise if that is not done yet. What it throws, at once or later, is
 * reported, and goes no further: a faulty handler must not stop the others.
 */
export function call<A>(
  handler: (argument: A) => unknown,
  argument: A,
  onError: (error: FanwireError) => void,
): Promise<void> | undefined {
  const failed = (cause: unknown) =>
    onError(new FanwireError('handler_failed', 'a handler of the application threw', { cause }));
  try {
    const result = handler(argument);
    if (!isThenable(result)) return undefined;
    return Promise.resolve(result).then(() => {}, failed);
  } catch (cause) {
    failed(cause);
    return undefined;
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value;
