import type { Answer } from '../http/transport.ts';
import type { Credentials } from '../sign/sigv4.ts';
import type { CallOptions, SocketHandler } from './handler.ts';
import { PreparedRequest } from './prepared.ts';
import type { Request } from './request.ts';
import type { RequestSigner } from './signer.ts';

/** A command of the SDK. */
export interface SdkCommand {
  readonly input: object;
}
/** The part of an SDK client's `config` that calls need. */
export interface CallConfig {
  readonly credentials: () => Promise<Credentials>;
  /** In milliseconds. Once an answer tells that this machine's clock is wrong, the SDK keeps by how much here. */
  readonly systemClockOffset: number;
}
interface ShortWayDeps {
  readonly config: CallConfig;
  readonly handler: SocketHandler;
  readonly signer: RequestSigner;
  /** The whole way: what the client itself does to send a command. */
  readonly whole: (command: SdkCommand, options: CallOptions) => Promise<object>;
  readonly now: () => number;
  readonly newId: () => string;
  /** Of the invocation that makes the call. */
  readonly traceId: () => string | undefined;
}

/**
 * The operations that go the short way: those of every message. Input and output are JSON as they are, and the SDK does
 * nothing for one that it does not do for all. Not those of SQS: there the SDK checks a checksum of what it has sent, and
 * a message to few subscribers needs none of them.
 */
const TARGETS: ReadonlySet<string | undefined> = new Set([
  ...[
    'GetItem',
    'PutItem',
    'UpdateItem',
    'DeleteItem',
    'Query',
    'Scan',
    'BatchGetItem',
    'BatchWriteItem',
  ].map((operation) => `DynamoDB_20120810.${operation}`),
  'AWSEvents.PutEvents',
]);

/**
 * What JSON and the SDK write or read in two ways: bytes, a time, a null; and what may lead to another endpoint, an ARN
 * in place of a table's name for one. Each is told by its quotes: within a string they are escaped, so that no data can
 * look like it.
 */
const DIFFERS = /"(?:BS?|Time|EndpointId)":|[^\\]"(?::null|arn:)/;

/**
 * Calls past the SDK's middleware, which takes more processor time than all else in a call. The first call of an
 * operation goes the whole way, and what it sends is the model for those that follow. So does a call of which anything
 * is unusual, and with it the answer that it already has, as that of the SDK's first attempt: so errors, their classes,
 * retries and a wrong clock are the SDK's own affair, as ever. Then the model is only what has succeeded on the whole way
 * again, because by a success the SDK learns that it may go on to retry.
 */
export class ShortWay {
  readonly #deps: ShortWayDeps;
  /** By the class of their command. */
  readonly #prepared = new Map<unknown, PreparedRequest>();

  constructor(deps: ShortWayDeps) {
    this.#deps = deps;
  }

  async send(command: SdkCommand): Promise<object> {
    const prepared = this.#prepared.get(command.constructor);
    if (!prepared) return this.#goWhole(command);
    const body = JSON.stringify(command.input);
    if (DIFFERS.test(body)) return this.#goWhole(command);
    // What goes wrong before the request is under way is no different from what goes wrong then.
    const answer = await this.#ask(prepared, body).catch((error: Error) => error);
    return outputOf(answer) ?? this.#goWhole(command, answer);
  }

  async #ask(prepared: PreparedRequest, body: string): Promise<Answer | Error> {
    const { config, handler, now, newId, traceId } = this.#deps;
    const bytes = prepared.bytesOf({
      body,
      credentials: await config.credentials(),
      nowMs: now() + config.systemClockOffset,
      invocationId: newId(),
      traceId: traceId(),
    });
    return handler.send(prepared, bytes);
  }

  async #goWhole(command: SdkCommand, answer?: Answer | Error): Promise<object> {
    const { whole } = this.#deps;
    this.#prepared.delete(command.constructor);
    let known = answer;
    let sent: Request | undefined;
    const intercept = (request: Request) => {
      const first = known;
      known = undefined;
      sent = request;
      return first;
    };
    const output = await whole(command, { intercept });
    const prepared = sent && TARGETS.has(sent.headers['x-amz-target']) && this.#prepare(sent);
    if (prepared) this.#prepared.set(command.constructor, prepared);
    return output;
  }

  #prepare(sent: Request): PreparedRequest | undefined {
    const { signer, traceId } = this.#deps;
    // The SDK may know of another place where an invocation has it, which is not looked at here.
    if (sent.headers['x-amzn-trace-id'] !== traceId()) return undefined;
    return PreparedRequest.of(sent, (credentials, scope) => signer.keyOf(credentials, scope));
  }
}

/** What the SDK makes of an answer, but for members that it knows nothing of; nothing if that takes the SDK. */
function outputOf(answer: Answer | Error): object | undefined {
  if (answer instanceof Error || answer.status !== 200) return undefined;
  const { buffer, byteOffset, byteLength } = answer.body;
  const text = Buffer.from(buffer, byteOffset, byteLength).toString();
  if (DIFFERS.test(text)) return undefined;
  const output = parse(text);
  if (typeof output !== 'object' || output === null || Array.isArray(output)) return undefined;
  const { status: httpStatusCode, requestId } = answer;
  const $metadata = { httpStatusCode, requestId: requestId || undefined, attempts: 1, totalRetryDelay: 0 };
  return Object.assign(output, { $metadata });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
