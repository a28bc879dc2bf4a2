import { isRecord } from '../../../shared/protocol/json.ts';
import { evaluate, type PolicyDocument } from '../policy/policy.ts';
import {
  type AuthorizerContext,
  type AuthorizerEvent,
  authorizerEvent,
  type EventOrigin,
  type Handshake,
} from './events.ts';
import { type Refusal, refusal } from './handshake.ts';
import { type InvocationDeps, invokeInTime } from './integration.ts';
import { AUTHORIZER_MS_MAX, AUTHORIZER_RESULT_BYTES_MAX } from './limits.ts';
import { GatewayError } from './replies.ts';

export interface AuthorizerSettings {
  readonly functionArn: string;
  /** `route.request.header.X` or `route.request.querystring.Y`: who lacks one is not even asked about. */
  readonly identitySources: readonly string[];
}

/** What an authorizer made of a handshake. */
type Authorization =
  | { readonly accepted: true; readonly authorizer: AuthorizerContext | undefined }
  | Refusal;

export type Authorize = (origin: EventOrigin, handshake: Handshake) => Promise<Authorization>;

/** Of an API without an authorizer. */
export const admitEverybody: Authorize = async () => ({ accepted: true, authorizer: undefined });

const UNAUTHORIZED = refusal(401, GatewayError.unauthorized);
const FORBIDDEN = refusal(403, GatewayError.forbidden);
/** The authorizer's fault, and no answer to the caller's question. */
const FAILED = refusal(500, GatewayError.internal);

/** The one error that is no failure but an answer (developer guide, "Use API Gateway Lambda authorizers"). */
const SAYS_UNAUTHORIZED = 'Unauthorized';

const IDENTITY_SOURCE = /^route\.request\.(header|querystring)\.(.+)$/;

interface AuthorizerDeps extends InvocationDeps {
  /** Hears why a result was of no use, which no client is told. */
  readonly log?: (line: string) => void;
}

/** The function is asked every time anew: API Gateway caches no results for WebSocket APIs. */
export function createAuthorizer(
  { functionArn, identitySources }: AuthorizerSettings,
  methodArn: string,
  deps: AuthorizerDeps,
): Authorize {
  const sources = identitySources.map(parseIdentitySource);
  const target = { functionArn, timeoutMs: AUTHORIZER_MS_MAX };
  return async (origin, handshake) => {
    if (!sources.every((isGivenBy) => isGivenBy(handshake))) return UNAUTHORIZED;
    const event = authorizerEvent(origin, handshake, methodArn);
    const invocation = await invokeInTime(target, event, deps);
    if (invocation === 'timed out') return FAILED;
    if (!invocation.ok) return invocation.errorMessage === SAYS_UNAUTHORIZED ? UNAUTHORIZED : FAILED;
    try {
      return judgeResult(parseResult(invocation.payload), event);
    } catch (error) {
      deps.log?.(`the result of ${functionArn} is of no use: ${error}`);
      return FAILED;
    }
  };
}

/** Whether a handshake has a value for an identity source, and not an empty one. */
function parseIdentitySource(source: string): (handshake: Handshake) => boolean {
  const [, place, name = ''] = IDENTITY_SOURCE.exec(source) ?? [];
  if (place === undefined) {
    throw new Error(
      `expected an identity source route.request.header.… or route.request.querystring.…, got ${source}`,
    );
  }
  if (place === 'querystring')
    return ({ query }) => query.some(([key, value]) => key === name && value !== '');
  const lowerName = name.toLowerCase();
  return ({ headers }) =>
    headers.some(([header, value]) => header.toLowerCase() === lowerName && value !== '');
}

interface AuthorizerResult {
  readonly policyDocument: PolicyDocument;
  readonly authorizer: AuthorizerContext;
}

/** Throws if the policy has something in it that cannot be evaluated. */
function judgeResult(
  { policyDocument, authorizer }: AuthorizerResult,
  { methodArn, requestContext }: AuthorizerEvent,
): Authorization {
  const decision = evaluate([policyDocument], {
    action: 'execute-api:Invoke',
    resource: methodArn,
    context: { 'aws:SourceIp': requestContext.identity.sourceIp },
  });
  return decision === 'allowed' ? { accepted: true, authorizer } : FORBIDDEN;
}

/** As strict as AWS, or stricter, like `parseProxyResponse`: an authorizer that passes here must not fail there. */
function parseResult(payload: unknown): AuthorizerResult {
  const bytes = Buffer.byteLength(JSON.stringify(payload ?? null));
  if (bytes > AUTHORIZER_RESULT_BYTES_MAX) {
    throw new Error(`expected at most ${AUTHORIZER_RESULT_BYTES_MAX} bytes, got ${bytes}`);
  }
  const { principalId, policyDocument, context } = isRecord(payload) ? payload : {};
  if (typeof principalId !== 'string') throw unexpected('principalId to be a text', principalId);
  if (!isPolicyDocument(policyDocument)) throw unexpected('policyDocument to be a policy', policyDocument);
  return { policyDocument, authorizer: { principalId, ...parseContext(context) } };
}

/** Values become text, as on AWS (serverless-offline#1376, tried there). */
function parseContext(context: unknown): AuthorizerContext {
  if (context === undefined || context === null) return {};
  if (!isRecord(context) || !Object.values(context).every(isScalar)) {
    throw unexpected('context to have texts, numbers and booleans only', context);
  }
  return Object.fromEntries(Object.entries(context).map(([key, value]) => [key, String(value)]));
}

const unexpected = (expectation: string, value: unknown): Error =>
  new Error(`expected ${expectation}, got ${JSON.stringify(value)}`);

const isScalar = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);

/** Keys in another case make AWS refuse a policy, and so does a `Condition` of null (aws-lambda-rust-runtime#863). */
const isPolicyDocument = (value: unknown): value is PolicyDocument =>
  isRecord(value) && value.Statement !== undefined && [value.Statement].flat().every(isStatement);

const isStatement = (value: unknown): boolean =>
  isRecord(value) &&
  isTexts(value.Action ?? value.NotAction) &&
  isTexts(value.Resource ?? value.NotResource) &&
  (value.Condition === undefined || isRecord(value.Condition));

const isTexts = (value: unknown): boolean => [value].flat().every((item) => typeof item === 'string');
