/**
 * What a worker thread runs, as `worker-code.ts` compiles it: the part of AWS's nodejs24.x runtime that user code can
 * notice.
 * Names and texts of its errors are those of aws-lambda-nodejs-runtime-interface-client.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { installLoopback } from '../http/loopback/dial.ts';
import type { Call, Reply, WorkerSettings } from './messages.ts';

type Handler = (event: unknown, context: unknown) => unknown;

/** In this order, as on AWS. */
const EXTENSIONS = ['.js', '.mjs', '.cjs'];

const CALLBACK_PARAMETERS = 3;

/** Node's exit code (https://nodejs.org/api/process.html#exit-codes). */
const UNSETTLED_TOP_LEVEL_AWAIT = 13;

/** 6 MB and a little, in AWS's own count: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const RESPONSE_BYTES_MAX = 6_291_556;

const settings: WorkerSettings = workerData;
// Before any of the user's modules can dial.
const loopback = settings.loopback && installLoopback(settings.loopback);

// The first thing, so that what goes wrong while the user's modules load is reported as well.
process.on('uncaughtException', (error) => crash('Uncaught Exception', error));
process.on('unhandledRejection', (reason) => {
  const error = named('Runtime.UnhandledPromiseRejection', String(reason), reason);
  crash('Unhandled Promise Rejection', error);
});

// A module that waits for what never comes ends the thread, as it ends Node.
process.once('beforeExit', () => {
  process.exitCode = UNSETTLED_TOP_LEVEL_AWAIT;
});
run().catch((error: unknown) => crash('Init Error', error));

async function run(): Promise<never> {
  const handler = await loadHandler();
  // A handler that waits for nothing but a promise does not end the thread: its timeout does.
  parentPort?.ref();
  reply({ kind: 'ready' });
  for (;;) {
    await printed();
    const call = freeze();
    await thaw();
    reply(await handle(handler, call));
  }
}

/** Lines reach the log when they are written, not with the next event. */
async function printed(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0) await new Promise((resolve) => stream.write('', resolve));
  }
}

/**
 * Between events an environment is frozen
 * (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html): no timer fires, no socket is read.
 * So does this thread stop, until there is a call.
 */
function freeze(): Call {
  loopback?.flush();
  const port = parentPort as MessagePort; // this is a worker
  for (;;) {
    const seen = Atomics.load(settings.calls, 0);
    const received = receiveMessageOnPort(port);
    if (received) return received.message as Call;
    Atomics.wait(settings.calls, 0, seen);
  }
}

/** What came to pass in the meantime is noticed first, the end of an idle socket for one: it takes one turn to poll, one to tell. */
async function thaw(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

function reply(message: Reply): void {
  parentPort?.postMessage(message);
}

async function handle(handler: Handler, call: Call): Promise<Reply> {
  process.env._X_AMZN_TRACE_ID = call.traceId;
  try {
    return marshal(await handler(JSON.parse(call.event), createContext(call)));
  } catch (error) {
    console.error('Invoke Error', error);
    return { kind: 'threw', ...describe(error) };
  }
}

function createContext({ requestId, timeoutMs }: Call): object {
  const deadlineMs = performance.now() + timeoutMs;
  return {
    functionName: settings.functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: settings.functionArn,
    memoryLimitInMB: String(settings.memoryMb),
    awsRequestId: requestId,
    logGroupName: settings.logGroupName,
    logStreamName: settings.logStreamName,
    getRemainingTimeInMillis: () => Math.floor(deadlineMs - performance.now()),
  };
}

function marshal(result: unknown): Reply {
  const payload = toJson(result);
  if (Buffer.byteLength(payload) > RESPONSE_BYTES_MAX) {
    throw named(
      'Function.ResponseSizeTooLarge',
      `Response payload size exceeded maximum allowed payload size (${RESPONSE_BYTES_MAX} bytes).`,
    );
  }
  return { kind: 'returned', payload, heapBytes: heapBytes() };
}

/** What this thread has taken from the machine for its objects and buffers: about what an invocation needed. */
function heapBytes(): number {
  const { total_heap_size, external_memory, malloced_memory } = getHeapStatistics();
  return total_heap_size + external_memory + malloced_memory;
}

function toJson(result: unknown): string {
  try {
    const json: string | undefined = JSON.stringify(result === undefined ? null : result);
    if (json === undefined)
      throw new TypeError(`expected a value that JSON can carry, got a ${typeof result}`);
    return json;
  } catch (cause) {
    throw named('Runtime.MarshalError', `Unable to stringify response body: ${messageOf(cause)}`, cause);
  }
}

async function loadHandler(): Promise<Handler> {
  const { codeDirectory, handler: name } = settings;
  const [, module, path] = /^((?:.*\/)?[^./]+)\.([^/]+)$/.exec(name) ?? [];
  if (module === undefined || path === undefined || name.includes('..')) {
    throw named('Runtime.MalformedHandlerName', `expected a handler like "index.handler", got "${name}"`);
  }
  const exports = await importModule(join(codeDirectory, module));
  // Node gives a CommonJS module's exports as `default`, and by name only those that it can see in the text.
  const handler = pick(exports, path) ?? pick(exports.default, path);
  if (handler === undefined) throw named('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw named('Runtime.HandlerNotFound', `${name} is not a function`);
  // Lambda tells a callback handler by its third parameter, and from Node.js 24 on refuses to start it.
  if (handler.length >= CALLBACK_PARAMETERS) {
    throw named(
      'Runtime.CallbackHandlerDeprecated',
      `expected ${name} to be an async function, got a callback handler, which Lambda no longer supports from Node.js 24 on`,
    );
  }
  return handler as Handler;
}

async function importModule(path: string): Promise<Record<string, unknown>> {
  const file = EXTENSIONS.map((extension) => path + extension).find((candidate) => existsSync(candidate));
  if (file === undefined) {
    const tried = EXTENSIONS.map((extension) => path + extension).join(', ');
    throw named('Runtime.ImportModuleError', `Error: Cannot find module '${path}' (tried ${tried})`);
  }
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    if (error instanceof SyntaxError) throw named('Runtime.UserCodeSyntaxError', String(error), error);
    if (isModuleMissing(error)) throw named('Runtime.ImportModuleError', String(error), error);
    throw error;
  }
}

/** `a.b` of `{ a: { b } }`: a handler may be nested. */
function pick(exports: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], exports);
}

function isModuleMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}

/** An error in Lambda's name. Its stack is the one that tells the user something: that of its cause. */
function named(name: string, message: string, cause?: unknown): Error {
  const error = new Error(message);
  error.name = name;
  error.stack = cause instanceof Error ? `${name}: ${cause.stack}` : `${name}: ${message}`;
  return error;
}

/** Reports, then ends this thread: Lambda never uses an environment again whose code has failed outside its handler. */
function crash(title: string, error: unknown): void {
  console.error(title, error);
  reply({ kind: 'crashed', ...describe(error) });
  process.exit(1);
}

/** A thrown value that is no error is told by its type, as on AWS. */
function describe(error: unknown): { errorType: string; errorMessage: string } {
  const errorType = error instanceof Error ? String(error.name) : typeof error;
  return { errorType, errorMessage: messageOf(error) };
}

function messageOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error);
}
