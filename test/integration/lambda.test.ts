import { EventEmitter, once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Clock } from '../../infra/local/clock.ts';
import { type FunctionSettings, Functions } from '../../infra/local/lambda/functions.ts';
import type { Invocation } from '../../infra/local/lambda/invoke.ts';
import type { FunctionMeter } from '../../infra/local/lambda/meter.ts';
import type { Scale } from '../../infra/local/lambda/scale.ts';
import { ManualClock } from '../support/manual-clock.ts';

const ARN = 'arn:aws:lambda:eu-west-1:000000000000:function:greet';

function directoryWith(files: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), 'fanwire-lambda-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

type Options = Partial<FunctionSettings> & {
  readonly clock?: Clock;
  readonly idleClock?: Clock;
  readonly meter?: FunctionMeter;
  readonly scale?: Scale;
};

/** One function, its code given as the files of its asset or as the text of its `index.mjs`. */
function start(
  code: string | Record<string, string>,
  { clock, idleClock, meter, scale, ...settings }: Options = {},
) {
  const log = createLog();
  const directory = directoryWith(typeof code === 'string' ? { 'index.mjs': code } : code);
  const functions = new Functions(
    [
      {
        arn: ARN,
        name: 'greet',
        codeDirectory: directory,
        handler: 'index.handler',
        timeoutMs: 10_000,
        memoryMb: 256,
        environment: {},
        ...settings,
      },
    ],
    {
      log: log.write,
      scale,
      ...(clock && { clock }),
      ...(idleClock && { idleClock }),
      ...(meter && { meter }),
    },
  );
  onTestFinished(() => functions.close());
  return { functions, invoke: (event?: unknown) => functions.invoke(ARN, event), directory, log };
}

/** Collects lines, and waits for one that is still to come. */
function createLog() {
  const lines: string[] = [];
  const events = new EventEmitter();
  return {
    lines,
    write(functionName: string, line: string): void {
      lines.push(`${functionName}: ${line}`);
      events.emit('line');
    },
    async line(text: string): Promise<string> {
      for (;;) {
        const found = lines.find((line) => line.includes(text));
        if (found !== undefined) return found;
        await once(events, 'line');
      }
    },
  };
}

function payloadOf(invocation: Invocation): unknown {
  if (!invocation.ok) throw new Error(`expected a payload, got ${JSON.stringify(invocation)}`);
  return invocation.payload;
}

/** Says which environment it runs in, and answers only when a file of the event's name appears beside it. */
const GATED = `
  import { existsSync, watch } from 'node:fs';
  import { threadId } from 'node:worker_threads';
  export async function handler(gate) {
    console.log('started ' + gate);
    await new Promise((resolve) => {
      const check = () => existsSync(process.env.GATES + '/' + gate) && (watcher.close(), resolve());
      const watcher = watch(process.env.GATES, check);
      check();
    });
    return threadId;
  }`;

function startGated(options: Options = {}) {
  const gates = directoryWith({});
  const started = start(GATED, { environment: { GATES: gates }, ...options });
  const open = (gate: string) => writeFileSync(join(gates, gate), '');
  return { ...started, open };
}

describe('an invocation', () => {
  it('gives the event to the handler and its result to the caller', async () => {
    const { invoke } = start('export const handler = async (event) => ({ hello: event.name });');
    expect(await invoke({ name: 'Ada' })).toEqual({ ok: true, payload: { hello: 'Ada' } });
  });

  it('takes a result that is no promise, and makes null of none', async () => {
    const { invoke } = start('export const handler = (event) => event?.result;');
    expect(await invoke({ result: 7 })).toEqual({ ok: true, payload: 7 });
    expect(await invoke()).toEqual({ ok: true, payload: null });
  });

  it('passes events and results through JSON', async () => {
    const { invoke } = start(
      'export const handler = async (e) => ({ keys: Object.keys(e), when: new Date(0), gone: undefined, s: e.s });',
    );
    const payload = payloadOf(await invoke({ absent: undefined, when: new Date(0), s: '\u2028 "ü"' }));
    expect(payload).toEqual({ keys: ['when', 's'], when: '1970-01-01T00:00:00.000Z', s: '\u2028 "ü"' });
  });

  it('has the context that Lambda documents', async () => {
    const { invoke } = start(
      'export const handler = async (_, context) => ({ ...context, left: context.getRemainingTimeInMillis() });',
      { timeoutMs: 5000 },
    );
    const { left, ...context } = payloadOf(await invoke()) as { left: number };
    expect(context).toEqual({
      functionName: 'greet',
      functionVersion: '$LATEST',
      invokedFunctionArn: ARN,
      memoryLimitInMB: '256',
      awsRequestId: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      logGroupName: '/aws/lambda/greet',
      logStreamName: expect.stringMatching(/^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/),
    });
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(5000);
  });

  it('sees its own variables and those of Lambda, and none of this machine', async () => {
    const { invoke, directory } = start('export const handler = async () => process.env;', {
      environment: { TABLE: 'topics', AWS_REGION: 'mars-1', AWS_ACCESS_KEY_ID: 'local' },
    });
    const variables = payloadOf(await invoke());
    expect(variables).toEqual({
      TABLE: 'topics',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_REGION: 'eu-west-1',
      AWS_DEFAULT_REGION: 'eu-west-1',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_FUNCTION_NAME: 'greet',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/greet',
      AWS_LAMBDA_LOG_STREAM_NAME: expect.any(String),
      _X_AMZN_TRACE_ID: expect.stringMatching(
        /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=[0-9a-f]{8}:1$/,
      ),
      LAMBDA_TASK_ROOT: directory,
      TZ: ':UTC',
      _HANDLER: 'index.handler',
    });
  });

  it('logs what the function prints, line by line and under its name', async () => {
    let bytes = 0;
    const meter: FunctionMeter = {
      initialised: () => {},
      invoked: () => {},
      logged: (name, more) => {
        if (name === 'greet') bytes += more;
      },
    };
    const { invoke, log } = start(
      `export const handler = async () => {
        console.log('one\\ntwo');
        console.error('three');
        process.stdout.write('no line end');
      };`,
      { meter },
    );
    await invoke();
    await log.line('three');
    await log.line('two');
    expect(bytes).toBeGreaterThanOrEqual('onetwothree'.length);
    expect(log.lines).toEqual(expect.arrayContaining(['greet: one', 'greet: two', 'greet: three']));
  });
});

describe('code', () => {
  const answer = 'async () => "here"';
  it.each<[string, Record<string, string>, string]>([
    ['an .mjs file', { 'index.mjs': `export const handler = ${answer};` }, 'index.handler'],
    ['a .js file of CommonJS', { 'index.js': `exports.handler = ${answer};` }, 'index.handler'],
    [
      'a .js file of ESM',
      { 'index.js': `export const handler = ${answer};`, 'package.json': '{"type":"module"}' },
      'index.handler',
    ],
    [
      'CommonJS exports that Node cannot see in the text',
      { 'index.cjs': `module.exports = Object.fromEntries([['handler', ${answer}]]);` },
      'index.handler',
    ],
    ['a handler in a folder', { 'src/api/main.mjs': `export const run = ${answer};` }, 'src/api/main.run'],
    ['a nested handler', { 'index.mjs': `export const api = { get: ${answer} };` }, 'index.api.get'],
  ])('may be %s', async (_, files, handler) => {
    const { invoke } = start(files, { handler });
    expect(await invoke()).toEqual({ ok: true, payload: 'here' });
  });

  it.each<[string, string, string, string, RegExp]>([
    ['a file that is not there', 'export {};', 'main.handler', 'Runtime.ImportModuleError', /main/],
    [
      'an import that is not there',
      'import "left-pad-9";',
      'index.handler',
      'Runtime.ImportModuleError',
      /left-pad-9/,
    ],
    [
      'no such export',
      'export const other = 1;',
      'index.handler',
      'Runtime.HandlerNotFound',
      /index\.handler is undefined/,
    ],
    [
      'an export that is no function',
      'export const handler = 1;',
      'index.handler',
      'Runtime.HandlerNotFound',
      /not a function/,
    ],
    [
      'text that is no JavaScript',
      'export const = 1;',
      'index.handler',
      'Runtime.UserCodeSyntaxError',
      /SyntaxError/,
    ],
    [
      'a callback',
      'export const handler = (e, c, done) => done();',
      'index.handler',
      'Runtime.CallbackHandlerDeprecated',
      /callback/,
    ],
    [
      'a way out of its directory',
      'export {};',
      '../index.handler',
      'Runtime.MalformedHandlerName',
      /index\.handler/,
    ],
    [
      'an error at the start',
      'throw new RangeError("no table");',
      'index.handler',
      'RangeError',
      /^no table$/,
    ],
    ['an exit at the start', 'process.exit(3);', 'index.handler', 'Runtime.ExitError', /exit status 3/],
    [
      'an exit right after the start',
      'setImmediate(() => process.exit(3)); export const handler = () => new Promise(() => {});',
      'index.handler',
      'Runtime.ExitError',
      /exit status 3/,
    ],
    [
      'a start that never ends',
      'await new Promise(() => {});',
      'index.handler',
      'Runtime.ExitError',
      /exit status 13/,
    ],
  ])('that has %s fails as on Lambda', async (_, code, handler, errorType, errorMessage) => {
    const { invoke } = start(code, { handler });
    const expected = {
      ok: false,
      reason: 'crashed',
      errorType,
      errorMessage: expect.stringMatching(errorMessage),
    };
    expect(await invoke()).toEqual(expected);
    expect(await invoke()).toEqual(expected);
  });

  it('that is slow to start is stopped', async () => {
    const clock = new ManualClock();
    const { invoke, log } = start('console.log("starting"); for (;;);', { clock });
    const invocation = invoke();
    await log.line('starting');
    clock.advance(10_000);
    expect(await invocation).toMatchObject({ reason: 'timeout', errorType: 'Sandbox.Timedout' });
  });
});

describe('a failed invocation', () => {
  it('names the error, and keeps its stack for the log', async () => {
    const { invoke, log } = start(
      `class Refused extends Error { name = 'Refused' }
       export async function handler() { throw new Refused('not today'); }`,
    );
    expect(await invoke()).toEqual({
      ok: false,
      reason: 'threw',
      errorType: 'Refused',
      errorMessage: 'not today',
    });
    expect(await log.line('index.mjs')).toMatch(/at .*handler.*index\.mjs:2/);
  });

  it('leaves the environment to the next one when the handler threw', async () => {
    const { invoke } = start(
      'let n = 0; export const handler = () => { n++; if (n === 1) throw "first"; return n; };',
    );
    expect(await invoke()).toMatchObject({ reason: 'threw', errorType: 'string', errorMessage: 'first' });
    expect(await invoke()).toEqual({ ok: true, payload: 2 });
  });

  it.each([
    ['a circle', 'const a = {}; a.a = a; return a;'],
    ['a bigint', 'return 1n;'],
    ['a function', 'return () => {};'],
  ])('is what becomes of a result that JSON cannot carry: %s', async (_, body) => {
    const { invoke } = start(`export const handler = async () => { ${body} };`);
    expect(await invoke()).toMatchObject({ reason: 'threw', errorType: 'Runtime.MarshalError' });
  });

  it('is what becomes of a result above 6 MB', async () => {
    const { invoke } = start('export const handler = async (length) => "x".repeat(length);');
    expect(await invoke(6_291_556)).toMatchObject({
      reason: 'threw',
      errorType: 'Function.ResponseSizeTooLarge',
    });
    expect(await invoke(6_291_554)).toMatchObject({ ok: true });
  });

  it.each<[string, unknown, string]>([
    ['above 6 MB', 'x'.repeat(6 * 1024 * 1024), 'RequestTooLargeException'],
    ['that JSON cannot carry', 1n, 'InvalidRequestContentException'],
  ])('is what becomes of an event %s', async (_, event, errorType) => {
    const { invoke } = start('export const handler = async () => "ran";');
    expect(await invoke(event)).toMatchObject({ ok: false, errorType });
  });

  it('is what becomes of a function that does not exist', async () => {
    const { functions } = start('export const handler = async () => {};');
    expect(await functions.invoke(`${ARN}-2`, {})).toMatchObject({ errorType: 'ResourceNotFoundException' });
  });

  it('is what becomes of Node options that Node refuses', async () => {
    const { invoke } = start('export const handler = async () => {};', {
      environment: { NODE_OPTIONS: '--bogus' },
    });
    expect(await invoke()).toMatchObject({
      errorType: 'Runtime.ExitError',
      errorMessage: expect.stringContaining('--bogus is not allowed'),
    });
  });
});

describe('a timeout', () => {
  it('is told in the words of AWS, and logged', async () => {
    const { invoke, log } = start('export const handler = () => new Promise(() => {});', { timeoutMs: 200 });
    const invocation = await invoke();
    expect(invocation).toEqual({
      ok: false,
      reason: 'timeout',
      errorType: 'Sandbox.Timedout',
      errorMessage: expect.stringMatching(
        /^\d{4}-\d\d-\d\dT[\d:.]+Z [0-9a-f-]{36} Task timed out after 0\.20 seconds$/,
      ),
    });
    await log.line('Task timed out');
  });

  it('really stops the code', async () => {
    const { invoke, directory } = start(
      `import { existsSync, writeFileSync } from 'node:fs';
       export async function handler({ gate, file }) {
         while (!existsSync(gate));
         writeFileSync(file, '');
         return 'written';
       }`,
      { timeoutMs: 300 },
    );
    const gate = join(directory, 'gate');
    const stopped = join(directory, 'stopped');
    const fresh = join(directory, 'fresh');
    expect(await invoke({ gate, file: stopped })).toMatchObject({ reason: 'timeout' });
    writeFileSync(gate, '');
    // A thread that still looped would see the gate long before a new one has started.
    expect(await invoke({ gate, file: fresh })).toEqual({ ok: true, payload: 'written' });
    expect(existsSync(stopped)).toBe(false);
  });

  it('does not count the start of an environment', async () => {
    const { invoke } = start(
      'const end = performance.now() + 300; while (performance.now() < end); export const handler = async () => "in time";',
      { timeoutMs: 200 },
    );
    expect(await invoke()).toEqual({ ok: true, payload: 'in time' });
  });
});

describe('a crash', () => {
  it.each<[string, string, string, RegExp]>([
    [
      'process.exit',
      'process.exit(7)',
      'Runtime.ExitError',
      /^RequestId: [0-9a-f-]{36} Error: Runtime exited with error: exit status 7$/,
    ],
    ['process.exit(0)', 'process.exit()', 'Runtime.ExitError', /exited without providing a reason$/],
    ['an uncaught exception', 'setImmediate(() => { throw new TypeError("late") })', 'TypeError', /^late$/],
    [
      'an unhandled rejection',
      'Promise.reject(new Error("lost"))',
      'Runtime.UnhandledPromiseRejection',
      /^Error: lost$/,
    ],
  ])(
    'by %s fails the invocation, and the next one gets a fresh environment',
    async (_, code, errorType, errorMessage) => {
      const { invoke } = start(
        `let n = 0;
       export const handler = (fail) => {
         n++;
         if (!fail) return n;
         ${code};
         return new Promise(() => {});
       };`,
      );
      expect(await invoke(false)).toEqual({ ok: true, payload: 1 });
      expect(await invoke(true)).toEqual({
        ok: false,
        reason: 'crashed',
        errorType,
        errorMessage: expect.stringMatching(errorMessage),
      });
      expect(await invoke(false)).toEqual({ ok: true, payload: 1 });
    },
  );

  it('after the answer comes when the environment wakes, fails that invocation, and none after it', async () => {
    const { invoke, log } = start(
      `export const handler = (event) => {
         if (event) setImmediate(() => { throw new Error('afterwards') });
         return 'answered';
       };`,
    );
    expect(await invoke(true)).toEqual({ ok: true, payload: 'answered' });
    expect(await invoke(false)).toMatchObject({ ok: false, reason: 'crashed', errorMessage: 'afterwards' });
    await log.line('afterwards');
    expect(await invoke(false)).toEqual({ ok: true, payload: 'answered' });
  });
});

describe('the environments of a function', () => {
  it('are kept and used again', async () => {
    const { invoke } = start('let n = 0; export const handler = async () => ++n;');
    expect([payloadOf(await invoke()), payloadOf(await invoke()), payloadOf(await invoke())]).toEqual([
      1, 2, 3,
    ]);
  });

  it('start before the first event where one is about to come', async () => {
    const { functions, invoke, log } = start('console.log("loaded"); export const handler = async () => 1;');
    functions.prepare(ARN);
    functions.prepare(ARN);
    await log.line('loaded');
    expect(payloadOf(await invoke())).toBe(1);
    functions.prepare(ARN);
    expect(payloadOf(await invoke())).toBe(1);
    expect(log.lines).toEqual(['greet: loaded']);
  });

  it('of which one was prepared in vain are as good as none', async () => {
    const { functions, invoke, log } = start(`
      import { existsSync, writeFileSync } from 'node:fs';
      const file = new URL('./second', import.meta.url);
      if (!existsSync(file)) {
        writeFileSync(file, '');
        throw new Error('not yet');
      }
      export const handler = async () => 1;`);
    functions.prepare(ARN);
    await log.line('not yet');
    await invoke(); // it may still be dying
    expect(payloadOf(await invoke())).toBe(1);
  });

  it('handle one event at a time, so that events at once get an environment each', async () => {
    const { invoke, log, open } = startGated();
    const invocations = Promise.all(['a', 'b', 'c'].map(invoke));
    await Promise.all(['a', 'b', 'c'].map((gate) => log.line(`started ${gate}`)));
    for (const gate of ['a', 'b', 'c']) open(gate);
    expect(new Set((await invocations).map(payloadOf)).size).toBe(3);
  });

  it('are frozen between events: no timer of theirs fires', async () => {
    const { invoke } = start(`
      let ticks = 0;
      export const handler = async () => {
        const before = ticks;
        setInterval(() => ticks++, 1);
        return before;
      };`);
    await invoke();
    const { invoke: other } = start('export const handler = async () => {}');
    // Starting another environment takes a while, for which the timer would have fired many times.
    await other();
    // The timer that was due all the time fires once on waking, as on Lambda.
    expect(await invoke()).toEqual({ ok: true, payload: expect.toSatisfy((ticks) => ticks <= 2) });
  });

  it('are used again in the order of their last use, the latest first', async () => {
    const { invoke, log, open } = startGated();
    const [first, second] = [invoke('a'), invoke('b')];
    await Promise.all([log.line('started a'), log.line('started b')]);
    open('b');
    await second;
    open('a');
    const latest = payloadOf(await first);
    expect([payloadOf(await invoke('a')), payloadOf(await invoke('a'))]).toEqual([latest, latest]);
  });

  it('are as many as they may be, and what comes then waits in order', async () => {
    const { invoke, log, open } = startGated({ environmentsMax: 2 });
    const ends: string[] = [];
    const gates = ['a', 'b', 'c', 'd'];
    const invocations = gates.map(async (gate) => {
      const payload = payloadOf(await invoke(gate));
      ends.push(gate);
      return payload;
    });
    await Promise.all([log.line('started a'), log.line('started b')]);
    expect(log.lines.filter((line) => line.includes('started'))).toHaveLength(2);

    open('a');
    await log.line('started c');
    expect(log.lines).not.toContain('greet: started d');
    for (const gate of ['c', 'd', 'b']) {
      open(gate);
      await invocations[gates.indexOf(gate)];
    }
    expect(ends).toEqual(['a', 'c', 'd', 'b']);
    expect(new Set(await Promise.all(invocations)).size).toBe(2);
  });

  it('are replaced for those that wait when one crashes', async () => {
    const { invoke } = start(
      'export const handler = (fail) => { if (fail) process.exit(1); return "fine"; };',
      {
        environmentsMax: 1,
      },
    );
    const [failed, waiting] = await Promise.all([invoke(true), invoke(false)]);
    expect(failed).toMatchObject({ reason: 'crashed' });
    expect(waiting).toEqual({ ok: true, payload: 'fine' });
  });

  it('throttle when too many events wait', async () => {
    const { invoke, functions } = start('export const handler = () => new Promise(() => {});', {
      environmentsMax: 1,
    });
    const accepted = Array.from({ length: 1001 }, () => invoke());
    expect(await invoke()).toMatchObject({ ok: false, errorType: 'TooManyRequestsException' });
    await functions.close();
    await Promise.all(accepted);
  });

  it('are stopped after two idle minutes, and no sooner', async () => {
    const idleClock = new ManualClock();
    const { invoke, log, open } = startGated({ idleClock });
    const twoAtOnce = async (gates: string[]) => {
      const invocations = gates.map(invoke);
      await Promise.all(gates.map((gate) => log.line(`started ${gate}`)));
      for (const gate of gates) open(gate);
      return (await Promise.all(invocations)).map(payloadOf);
    };
    const before = await twoAtOnce(['a', 'b']);
    idleClock.advance(60_000);
    const kept = payloadOf(await invoke('a'));
    idleClock.advance(60_000);
    const after = await twoAtOnce(['c', 'd']);
    expect(before).toContain(kept);
    expect(after.filter((id) => before.includes(id))).toEqual([kept]);
    idleClock.advance(60_000);
    expect(after).toContain(payloadOf(await invoke('a')));
    idleClock.advance(120_000);
    expect(before.concat(after)).not.toContain(payloadOf(await invoke('a')));
  });

  it('stay when a test moves the time of the system', async () => {
    const clock = new ManualClock();
    const { invoke, open } = startGated({ clock });
    open('a');
    const before = payloadOf(await invoke('a'));
    clock.advance(3_600_000);
    expect(payloadOf(await invoke('a'))).toBe(before);
  });
});

describe('a function is free', () => {
  const NEVER_MS = 2 ** 31 - 1;
  const isFree = (functions: Functions) =>
    Promise.race([functions.whenFree(ARN).then(() => true), new Promise(setImmediate).then(() => false)]);

  it('before it has an environment, and while one is idle', async () => {
    const { functions, invoke } = start('export const handler = () => null');
    expect(await isFree(functions)).toBe(true);
    await invoke();
    expect(await isFree(functions)).toBe(true);
  });

  it('else when an invocation has ended', async () => {
    const { functions, invoke, log, open } = startGated({
      scale: { environmentsMax: 5, patienceMs: NEVER_MS },
    });
    const running = invoke('a');
    await log.line('started a');
    const free = functions.whenFree(ARN);
    expect(await isFree(functions)).toBe(false);
    open('a');
    await free;
    await running;
    expect(await isFree(functions)).toBe(true);
  });

  it('or when another environment may be started, and that starts', async () => {
    const { functions, invoke, log, open } = startGated({ scale: { environmentsMax: 2, patienceMs: 1 } });
    const first = invoke('a');
    await log.line('started a');
    await functions.whenFree(ARN);
    const second = invoke('b');
    await log.line('started b');
    const third = functions.whenFree(ARN);
    expect(await isFree(functions)).toBe(false);
    for (const gate of ['a', 'b']) open(gate);
    expect(payloadOf(await first)).not.toBe(payloadOf(await second));
    await third;
  });

  it('when it is closed: what comes then fails', async () => {
    const { functions, invoke, log } = startGated({ scale: { environmentsMax: 1, patienceMs: 1 } });
    const running = invoke('a');
    await log.line('started a');
    const free = functions.whenFree(ARN);
    await functions.close();
    await free;
    expect(await running).toMatchObject({ ok: false });
  });
});

describe('close', () => {
  it('stops all code, and fails what was running, what waited, and what comes later', async () => {
    const { invoke, functions, log } = start(
      'export const handler = () => { console.log("looping"); for (;;); };',
      {
        environmentsMax: 1,
      },
    );
    const invocations = [invoke(), invoke()];
    await log.line('looping');
    await functions.close();
    for (const invocation of [...invocations, invoke()]) {
      expect(await invocation).toMatchObject({ ok: false, reason: 'crashed' });
    }
  });
});
