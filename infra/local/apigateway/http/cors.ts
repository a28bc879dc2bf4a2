import type { HttpRequest } from '../../http/engine.ts';

/** As CloudFormation has it, with names of our own. */
export interface CorsSettings {
  readonly allowOrigins: readonly string[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly allowCredentials: boolean;
  readonly maxAgeSeconds?: number;
}

type Headers = Readonly<Record<string, string>>;

/** What an API says of pages of other origins. Without settings it says nothing, and hands on what functions say. */
export interface Cors {
  /** The headers of the answer, if the request is a preflight, which the API itself answers. */
  preflight(request: HttpRequest): Headers | undefined;
  /** What a function has answered, with the API's own word in place of the function's. */
  applied(request: HttpRequest, headers: Headers): Headers;
}

const NO_CORS: Cors = { preflight: () => undefined, applied: (_, headers) => headers };

export function createCors(settings: CorsSettings | undefined): Cors {
  if (!settings) return NO_CORS;
  const { allowMethods, allowHeaders, exposeHeaders, allowCredentials, maxAgeSeconds } = settings;
  /** A page that may not gets none of the headers; which status a preflight has then is [inference]. */
  const common = ({ headers: { origin } }: HttpRequest): Headers | undefined => {
    const allowed = origin === undefined ? undefined : allowedOrigin(origin, settings.allowOrigins);
    if (allowed === undefined) return undefined;
    return {
      'access-control-allow-origin': allowed,
      ...(allowCredentials && { 'access-control-allow-credentials': 'true' }),
    };
  };
  return {
    // A request without both headers is none (developer guide, "Configure CORS for HTTP APIs").
    preflight(request) {
      const { origin, 'access-control-request-method': asked } = request.headers;
      if (request.method !== 'OPTIONS' || origin === undefined || asked === undefined) return undefined;
      const allowed = common(request);
      if (!allowed) return {};
      return {
        ...allowed,
        ...list('access-control-allow-methods', allowMethods),
        ...list('access-control-allow-headers', allowHeaders),
        ...(maxAgeSeconds !== undefined && { 'access-control-max-age': String(maxAgeSeconds) }),
      };
    },
    // "API Gateway ignores CORS headers returned from your backend integration" (the same page).
    applied(request, headers) {
      const own = Object.entries(headers).filter(([name]) => !name.startsWith('access-control-'));
      const allowed = common(request);
      return {
        ...Object.fromEntries(own),
        ...allowed,
        ...(allowed && list('access-control-expose-headers', exposeHeaders)),
      };
    },
  };
}

const list = (name: string, values: readonly string[]): Headers =>
  values.length > 0 ? { [name]: values.join(',') } : {};

/** `*` is everybody; `https://*` is every origin that begins so (the same page). */
function allowedOrigin(origin: string, allowOrigins: readonly string[]): string | undefined {
  if (allowOrigins.includes('*')) return '*';
  const isAllowed = allowOrigins.some((allowed) =>
    allowed.endsWith('://*') ? origin.startsWith(allowed.slice(0, -1)) : origin === allowed,
  );
  return isAllowed ? origin : undefined;
}
