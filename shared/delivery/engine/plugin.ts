import {
  type ApiGatewayManagementApiClient,
  ApiGatewayManagementApiServiceException,
  ForbiddenException,
  GoneException,
  LimitExceededException,
  PayloadTooLargeException,
  type PostToConnectionCommandInput,
} from '@aws-sdk/client-apigatewaymanagementapi';
import type { Answer, Transport, TransportOptions } from '../../aws/http/transport.ts';
import { answerError } from './answer-error.ts';
import { createEngine, type Engine } from './engine.ts';
import type { SignedRequest } from './signer.ts';

export interface PluginOptions {
  readonly createTransport: (options: TransportOptions) => Transport<SignedRequest>;
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly socketsMax?: number;
  readonly ca?: string;
}

type Client = Pick<ApiGatewayManagementApiClient, 'config'>;
type Plugin = Parameters<ApiGatewayManagementApiClient['middlewareStack']['use']>[0];

const COMMAND = 'PostToConnectionCommand';
/** Where the SDK keeps what belongs to one call. */
const CALL = '__smithy_context';

const encoder = new TextEncoder();

/**
 * The engine behind the official client: `client.middlewareStack.use(createPlugin(client, options))`. Posts leave the
 * SDK at its first step and come back as its own results and errors; every other command takes the usual way.
 * `destroy()` of the client does not know of the transport, so it ends with the process.
 */
export function createPlugin({ config }: Client, options: PluginOptions): Plugin {
  let engine: Promise<Engine> | undefined;
  return {
    applyToStack: (stack) =>
      stack.add(
        (next, context) => async (args) => {
          const input = args.input as PostToConnectionCommandInput; // looked at only if it is this command's
          const frame = context.commandName === COMMAND ? frameOf(input) : undefined;
          // Without an endpoint of its own the SDK has to find one; ids and bodies that it refuses are its business too.
          if (!frame || !config.endpoint) return next(args);
          engine ??= engineOf(config, options);
          const call = context[CALL] as { readonly abortSignal?: AbortSignal } | undefined;
          const answer = await (await engine).send(input.ConnectionId as string, frame, call?.abortSignal);
          return { output: outputOf(answer), response: undefined };
        },
        { step: 'initialize', priority: 'high', name: 'postEngine' },
      ),
  };
}

/** Nothing, if the engine cannot send it. */
function frameOf({ ConnectionId, Data }: PostToConnectionCommandInput): Uint8Array | undefined {
  if (!ConnectionId || ConnectionId === '.' || ConnectionId === '..') return undefined;
  if (typeof Data === 'string') return encoder.encode(Data);
  return Data instanceof Uint8Array ? Data : undefined;
}

async function engineOf(
  { endpoint, region, credentials }: Client['config'],
  { createTransport, timeoutMs, now, socketsMax, ca }: PluginOptions,
): Promise<Engine> {
  const { protocol, hostname, port, path } = (await endpoint?.()) ?? {};
  const url = `${protocol}//${hostname}${port ? `:${port}` : ''}${path}`;
  const transport = createTransport({
    endpoint: url,
    ...(socketsMax !== undefined && { socketsMax }),
    ...(ca !== undefined && { ca }),
  });
  return createEngine({ endpoint: url, region: await region(), credentials, transport, timeoutMs, now });
}

function outputOf(answer: Answer | Error) {
  if (answer instanceof Error) throw answer;
  const { status, requestId } = answer;
  const $metadata = {
    httpStatusCode: status,
    ...(requestId && { requestId }),
    attempts: 1,
    totalRetryDelay: 0,
  };
  if (status >= 300) throw exceptionOf(answer, $metadata);
  return { $metadata };
}

const EXCEPTIONS = { ForbiddenException, GoneException, LimitExceededException, PayloadTooLargeException };

/** The name decides, as it does in the SDK: a 410 without its error-type header is no GoneException. */
function exceptionOf(answer: Answer, $metadata: object): ApiGatewayManagementApiServiceException {
  const { name, message = 'UnknownError' } = answerError(answer);
  const options = { $metadata, message };
  if (isModelled(name)) return new EXCEPTIONS[name](options);
  return new ApiGatewayManagementApiServiceException({
    ...options,
    name,
    $fault: answer.status < 500 ? 'client' : 'server',
  });
}

const isModelled = (name: string): name is keyof typeof EXCEPTIONS => Object.hasOwn(EXCEPTIONS, name);
