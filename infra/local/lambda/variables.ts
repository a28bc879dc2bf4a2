import type { WorkerSettings } from './messages.ts';

/**
 * The environment variables of a function: its own and Lambda's, never those of this machine.
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
 */
export function environmentVariables(
  settings: WorkerSettings,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const region = settings.functionArn.split(':')[3] ?? '';
  return {
    TZ: ':UTC', // the one of Lambda's variables that a function may change
    ...own,
    _HANDLER: settings.handler,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: settings.functionName,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(settings.memoryMb),
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: settings.logGroupName,
    AWS_LAMBDA_LOG_STREAM_NAME: settings.logStreamName,
    LAMBDA_TASK_ROOT: settings.codeDirectory,
  };
}
