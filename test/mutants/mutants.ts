/** A rule of the local cloud, how to turn it off, and the conformance case that must notice. */
export interface Mutant {
  readonly rule: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  readonly caughtBy: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    rule: 'the limit of 32 KB on a frame',
    file: 'infra/local/apigateway/limits.ts',
    find: 'FRAME_BYTES_MAX = 32 * 1024',
    replace: 'FRAME_BYTES_MAX = 64 * 1024',
    caughtBy: 'LM-FRAME',
  },
  {
    rule: 'the limit of 128 KB on a message',
    file: 'infra/local/apigateway/limits.ts',
    find: 'MESSAGE_BYTES_MAX = 128 * 1024',
    replace: 'MESSAGE_BYTES_MAX = 256 * 1024',
    caughtBy: 'LM-MSG',
  },
  {
    rule: 'the refusal of binary frames',
    file: 'infra/local/apigateway/connection.ts',
    find: 'if (isBinary) {',
    replace: 'if (isBinary && !text) {',
    caughtBy: 'LM-BIN',
  },
  {
    rule: 'the end of idle connections',
    file: 'infra/local/apigateway/connection.ts',
    find: 'Math.min(this.#lastActiveAt + IDLE_MS_MAX, this.connectedAt + CONNECTION_MS_MAX)',
    replace: 'Math.max(this.#lastActiveAt + IDLE_MS_MAX, this.connectedAt + CONNECTION_MS_MAX)',
    caughtBy: 'LM-IDLE',
  },
  {
    rule: 'the end of connections after two hours',
    file: 'infra/local/apigateway/connection.ts',
    find: 'Math.min(this.#lastActiveAt + IDLE_MS_MAX, this.connectedAt + CONNECTION_MS_MAX)',
    replace: 'this.#lastActiveAt + IDLE_MS_MAX',
    caughtBy: 'LM-MAX',
  },
  {
    rule: 'the throttle on new connections',
    file: 'infra/local/apigateway/throttle.ts',
    find: 'return this.#connections.take(this.#clock.now());',
    replace: 'return this.#connections.take(this.#clock.now()) || true;',
    caughtBy: 'LM-RATE',
  },
  {
    rule: 'the error type on a 410',
    file: 'infra/local/apigateway/management.ts',
    find: "GONE: Answer = { status: 410, errorType: 'GoneException' }",
    replace: 'GONE: Answer = { status: 410 }',
    caughtBy: 'CN-GONE',
  },
  {
    rule: 'the form of connection ids',
    file: 'infra/local/apigateway/management.ts',
    find: 'isId(connectionId) ? GONE',
    replace: 'isId(connectionId) || true ? GONE',
    caughtBy: 'CN-BADID',
  },
  {
    rule: 'the refusal of a handshake by $connect',
    file: 'infra/local/apigateway/handshake.ts',
    find: 'if (status >= 300) return',
    replace: 'if (status >= 600) return',
    caughtBy: 'HS-N',
  },
  {
    rule: 'the protection of lifecycle routes from clients',
    file: 'infra/local/apigateway/routing.ts',
    find: "key.startsWith('$') ? DEFAULT_ROUTE : key",
    replace: 'key',
    caughtBy: 'RT-RESERVED',
  },
  {
    rule: 'the identity sources of an authorizer',
    file: 'infra/local/apigateway/authorizer.ts',
    find: 'if (!sources.every((isGivenBy) => isGivenBy(handshake))) return UNAUTHORIZED;',
    replace: '',
    caughtBy: 'AU-IDSRC',
  },
  {
    rule: "the limit of 8 KB on an authorizer's result",
    file: 'infra/local/apigateway/limits.ts',
    find: 'AUTHORIZER_RESULT_BYTES_MAX = 8 * 1024',
    replace: 'AUTHORIZER_RESULT_BYTES_MAX = 10 * 1024',
    caughtBy: 'AU-SIZE',
  },
  {
    rule: 'the subprotocol that $connect chooses',
    file: 'infra/local/apigateway/gateway.ts',
    find: 'if (subprotocol !== undefined) headers.push',
    replace: "if (subprotocol === 'none') headers.push",
    caughtBy: 'AU-SUB',
  },
  {
    rule: "the evaluation of an authorizer's policy",
    file: 'infra/local/apigateway/authorizer.ts',
    find: "decision === 'allowed'",
    replace: "decision !== 'denied'",
    caughtBy: 'AU-ARN',
  },
  {
    rule: 'silence on one-way routes',
    file: 'infra/local/apigateway/replies.ts',
    find: "!replies || integration.body === ''",
    replace: "integration.body === ''",
    caughtBy: 'RT-REPLY',
  },
  {
    rule: 'partial batch failures',
    file: 'infra/local/lambda/mapping.ts',
    find: 'return ids.isSubsetOf(all) ? ids : all;',
    replace: 'return ids;',
    caughtBy: 'PL-PARTIAL',
  },
  {
    rule: 'the return of failed records',
    file: 'infra/local/lambda/mapping.ts',
    find: 'records.filter(({ messageId }) => !failed.has(messageId))',
    replace: 'records.filter(() => failed)',
    caughtBy: 'PL-VIS',
  },
  {
    rule: 'the maximum concurrency of a mapping',
    file: 'infra/local/lambda/mapping.ts',
    find: 'if (running.size >= concurrency) await',
    replace: 'if (running.size >= 2 * concurrency) await',
    caughtBy: 'PL-CONC',
  },
  {
    rule: 'the limit of 10 entries on PutEvents',
    file: 'infra/local/eventbridge/event.ts',
    find: 'ENTRIES_MAX = 10',
    replace: 'ENTRIES_MAX = 100',
    caughtBy: 'PL-EB',
  },
];
