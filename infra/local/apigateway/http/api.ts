import type { Account } from '../../account.ts';
import type { Clock } from '../../clock.ts';
import type { HttpEngine, HttpRequest, HttpResponse } from '../../http/engine.ts';
import type { Invoke } from '../../lambda/invoke.ts';
import { traceId } from '../handshake.ts';
import { createId, type RandomBytes } from '../ids.ts';
import { invokeInTime } from '../integration.ts';
import type { Throttle } from '../throttle.ts';
import { type CorsSettings, createCors } from './cors.ts';
import { type HttpOrigin, httpApiEvent } from './event.ts';
import { pathOfApi } from './place.ts';
import { type HttpApiResponse, parseResponse } from './response.ts';
import { compileRoutes, type Keyed } from './routing.ts';

export interface HttpRoute extends Keyed {
  readonly functionArn: string;
  readonly timeoutMs: number;
}

export interface HttpApiSettings extends Account {
  readonly apiId: string;
  readonly domainName: string;
  readonly cors?: CorsSettings;
  readonly routes: readonly HttpRoute[];
  /** The variables of each stage, by its name. */
  readonly stages: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

export interface HttpApiDeps {
  readonly invoke: Invoke;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  /** Of the account: its APIs share it. */
  readonly throttle: Pick<Throttle, 'admitsRequest'>;
}

/** Developer guide, "Quotas for configuring and running an HTTP API". */
const BODY_BYTES_MAX = 10 * 1024 * 1024;

const DEFAULT_STAGE = '$default';

/** What the gateway itself says. */
const failure = (status: number, message: string): HttpApiResponse => ({
  status,
  headers: { 'content-type': 'application/json' },
  cookies: [],
  body: JSON.stringify({ message }),
});

const NOT_FOUND = failure(404, 'Not Found');
const TOO_LARGE = failure(413, 'Request Entity Too Large');
const TOO_MANY = failure(429, 'Too Many Requests');
const FAILED = failure(500, 'Internal Server Error');
const TIMED_OUT = failure(503, 'Service Unavailable');

/** Serves an HTTP API, with all its stages, below a path of its own: AWS gives each a host. */
export function createHttpApi(settings: HttpApiSettings, deps: HttpApiDeps): HttpEngine {
  const { invoke, clock, randomBytes, throttle } = deps;
  const cors = createCors(settings.cors);
  const select = compileRoutes(settings.routes);
  const prefix = pathOfApi(settings.apiId);

  async function answerTo(request: HttpRequest, body: Buffer, requestId: string): Promise<HttpApiResponse> {
    if (!throttle.admitsRequest()) return TOO_MANY;
    const { segments, query } = partsOf(request, prefix);
    const place = placeOf(segments, settings.stages);
    const match = place && select(request.method ?? '', place.segments);
    if (!match) return NOT_FOUND;
    const { route, pathParameters } = match;
    const path = `/${segments.join('/')}`;
    const receivedAtMs = clock.now();
    const { stage, stageVariables } = place;
    const origin: HttpOrigin = {
      ...{ ...settings, stage, stageVariables, requestId, receivedAtMs },
      traceId: traceId(receivedAtMs, randomBytes),
    };
    const event = httpApiEvent(request, body, { routeKey: route.key, path, query, pathParameters }, origin);
    const invocation = await invokeInTime(route, event, { invoke, clock });
    if (invocation === 'timed out') return TIMED_OUT;
    const response = invocation.ok ? parseResponse(invocation.payload) : undefined;
    return response ? { ...response, headers: cors.applied(request, response.headers) } : FAILED;
  }

  return {
    bodyBytesMax: () => BODY_BYTES_MAX,
    refuseBody: (response) => write(response, TOO_LARGE, createId(randomBytes)),
    async handle(request, body, response) {
      const requestId = createId(randomBytes);
      const preflight = cors.preflight(request);
      const answer = preflight
        ? { status: 204, headers: preflight, cookies: [], body: '' }
        : await answerTo(request, body, requestId);
      write(response, answer, requestId);
    },
  };
}

function write(response: HttpResponse, answer: HttpApiResponse, requestId: string): void {
  const { status, headers, cookies, body } = answer;
  response.writeHead(status, {
    ...headers,
    ...(status !== 204 && { 'content-length': Buffer.byteLength(body) }),
    ...(cookies.length > 0 && { 'set-cookie': [...cookies] }),
    'apigw-requestid': requestId,
  });
  response.end(body);
}

/** Without the API's own place here. The path is decoded, as handlers see it (captured in hotsock/voker#8). */
function partsOf(
  { url = '' }: HttpRequest,
  prefix: string,
): { readonly segments: readonly string[]; readonly query: string } {
  const [path = '', ...rest] = url.slice(prefix.length).split('?');
  return { segments: path.replace(/^\//, '').split('/').map(decode), query: rest.join('?') };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

interface Place {
  readonly stage: string;
  readonly stageVariables: Readonly<Record<string, string>>;
  /** Of the path below the stage. */
  readonly segments: readonly string[];
}

/** The stage that the path names, or else the one without a name (developer guide, "Routing API requests"). */
function placeOf(segments: readonly string[], stages: HttpApiSettings['stages']): Place | undefined {
  const [first = '', ...rest] = segments;
  const named = first === DEFAULT_STAGE ? undefined : stages.get(first);
  if (named) return { stage: first, stageVariables: named, segments: rest.length > 0 ? rest : [''] };
  const variables = stages.get(DEFAULT_STAGE);
  return variables && { stage: DEFAULT_STAGE, stageVariables: variables, segments };
}
