/**
 * What `X-Amzn-Trace-Id` says of a call, by which AWS finds loops of Lambdas. Lambda sets it anew for every invocation,
 * and the SDK reads it from there for every call, too.
 */
export const traceId = (): string | undefined =>
  (process.env.AWS_LAMBDA_FUNCTION_NAME && process.env._X_AMZN_TRACE_ID) || undefined;
