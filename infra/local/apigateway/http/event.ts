import type { Account } from '../../account.ts';
import type { HttpRequest } from '../../http/engine.ts';
import { requestTime } from '../events.ts';

type Values = Readonly<Record<string, string>>;

/** What a function gets of a request in payload format 2.0, to the key (developer guide, "Payload format structure"). */
export interface HttpApiEvent {
  readonly version: '2.0';
  readonly routeKey: string;
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly cookies?: readonly string[];
  readonly headers: Values;
  readonly queryStringParameters?: Values;
  readonly requestContext: HttpRequestContext;
  readonly body?: string;
  readonly pathParameters?: Values;
  readonly isBase64Encoded: boolean;
  readonly stageVariables?: Values;
}

export interface HttpRequestContext {
  readonly accountId: string;
  readonly apiId: string;
  readonly domainName: string;
  readonly domainPrefix: string;
  readonly http: {
    readonly method: string;
    readonly path: string;
    readonly protocol: 'HTTP/1.1';
    readonly sourceIp: string;
    readonly userAgent: string;
  };
  readonly requestId: string;
  readonly routeKey: string;
  readonly stage: string;
  readonly time: string;
  readonly timeEpoch: number;
}

/** What of the API and of the moment is in an event. */
export interface HttpOrigin extends Account {
  readonly apiId: string;
  readonly domainName: string;
  readonly stage: string;
  readonly stageVariables: Values;
  readonly requestId: string;
  readonly traceId: string;
  readonly receivedAtMs: number;
}

/** Where a request leads. The path is decoded, and has the stage in it if that has a name. */
export interface HttpTarget {
  readonly routeKey: string;
  readonly path: string;
  readonly query: string;
  readonly pathParameters: Values;
}

/** The gateway's own, whatever the client has sent. */
const NOT_FORWARDED = new Set(['connection', 'cookie', 'keep-alive', 'transfer-encoding', 'upgrade']);

/** A key without values is not there: captured in logandk/serverless-wsgi#191. */
export function httpApiEvent(
  request: HttpRequest,
  body: Buffer,
  target: HttpTarget,
  origin: HttpOrigin,
): HttpApiEvent {
  const { routeKey, path, query, pathParameters } = target;
  const { stageVariables } = origin;
  const headers = headersOf(request, body, origin);
  const isText = isTextual(headers['content-type']);
  const cookies = cookiesOf(request);
  const parameters = joined([...new URLSearchParams(query)]);
  return {
    version: '2.0',
    routeKey,
    rawPath: path,
    rawQueryString: query,
    ...(cookies.length > 0 && { cookies }),
    headers,
    ...(hasAny(parameters) && { queryStringParameters: parameters }),
    requestContext: contextOf(request, target, origin),
    ...(body.length > 0 && { body: body.toString(isText ? 'utf8' : 'base64') }),
    ...(hasAny(pathParameters) && { pathParameters }),
    isBase64Encoded: body.length > 0 && !isText,
    ...(hasAny(stageVariables) && { stageVariables }),
  };
}

function contextOf(
  request: HttpRequest,
  { routeKey, path }: HttpTarget,
  { accountId, apiId, domainName, stage, requestId, receivedAtMs }: HttpOrigin,
): HttpRequestContext {
  return {
    accountId,
    apiId,
    domainName,
    domainPrefix: apiId,
    http: {
      method: request.method ?? '',
      path,
      protocol: 'HTTP/1.1',
      sourceIp: sourceIpOf(request),
      userAgent: request.headers['user-agent'] ?? '',
    },
    requestId,
    routeKey,
    stage,
    time: requestTime(receivedAtMs),
    timeEpoch: receivedAtMs,
  };
}

/** The client's in lower case, several of one name joined, then those that AWS adds. `Host` is the API's. */
function headersOf(request: HttpRequest, body: Buffer, { domainName, traceId }: HttpOrigin): Values {
  const own = headerPairs(request).filter(([name]) => !NOT_FORWARDED.has(name));
  const hops = own.flatMap(([name, value]) => (name === 'x-forwarded-for' ? value : []));
  return {
    'content-length': String(body.length),
    ...joined(own),
    host: domainName,
    'x-amzn-trace-id': traceId,
    'x-forwarded-for': [...hops, sourceIpOf(request)].join(', '),
    'x-forwarded-port': '443',
    'x-forwarded-proto': 'https',
  };
}

/** The guide's `cookies` are the pairs of all `Cookie` headers, which are no headers of the event any more. */
const cookiesOf = (request: HttpRequest): string[] =>
  headerPairs(request)
    .filter(([name]) => name === 'cookie')
    .flatMap(([, value]) => value.split(';'))
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie !== '');

function headerPairs({ headers, headersDistinct = {} }: HttpRequest): [string, string][] {
  return Object.entries({ ...headers, ...headersDistinct }).flatMap(([name, values = []]) =>
    [values].flat().map((value): [string, string] => [name, value]),
  );
}

const joined = (pairs: readonly (readonly [string, string])[]): Values =>
  Object.fromEntries(
    Array.from(
      Map.groupBy(pairs, ([name]) => name),
      ([name, group]) => [name, group.map(([, value]) => value).join(',')],
    ),
  );

const sourceIpOf = ({ socket }: HttpRequest): string =>
  socket?.remoteAddress?.replace(/^::ffff:/, '') ?? '127.0.0.1';

/** All else is handed on in base64, forms and what has no type, too: tried on AWS in ministackorg/ministack#766. */
const TEXTUAL = /^(text\/.+|application\/(json|xml|javascript))$/;

const isTextual = (contentType = ''): boolean =>
  TEXTUAL.test(contentType.replace(/;.*$/s, '').trim().toLowerCase());

const hasAny = (values: Values): boolean => Object.keys(values).length > 0;
