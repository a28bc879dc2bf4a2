/** A route of an HTTP API: `GET /pets/{id}`, `ANY /{proxy+}` or `$default`. */
export interface Keyed {
  readonly key: string;
}

export interface Match<R extends Keyed> {
  readonly route: R;
  readonly pathParameters: Readonly<Record<string, string>>;
}

/** Finds the route of a request by its method and the segments of its path, which are decoded. */
export type SelectRoute<R extends Keyed> = (
  method: string,
  segments: readonly string[],
) => Match<R> | undefined;

/** How exactly a segment of a route says what it takes. */
const Kind = { text: 0, variable: 1, greedy: 2 } as const;
type Kind = (typeof Kind)[keyof typeof Kind];

interface Segment {
  readonly kind: Kind;
  /** The text, or the name of the variable. */
  readonly name: string;
}

interface Compiled<R> {
  readonly route: R;
  readonly method: string;
  readonly segments: readonly Segment[];
}

const DEFAULT_ROUTE = '$default';
const ANY = 'ANY';
const KEY = /^(ANY|GET|HEAD|OPTIONS|PATCH|POST|PUT|DELETE) \/(\S*)$/;
const VARIABLE = /^\{([\w.:-]+)(\+?)\}$/;

/**
 * A full match goes before one by a greedy variable, and that before `$default` (developer guide, "Routing API requests").
 * That of several full matches the one counts whose first text is further to the left, and a method before `ANY`, is
 * [inference] from the guide's examples.
 */
export function compileRoutes<R extends Keyed>(routes: readonly R[]): SelectRoute<R> {
  const fallback = routes.find(({ key }) => key === DEFAULT_ROUTE);
  const compiled = routes
    .filter((route) => route !== fallback)
    .map(compile)
    .toSorted(byPriority);
  return (method, segments) => {
    for (const { route, ...compiledRoute } of compiled) {
      if (compiledRoute.method !== ANY && compiledRoute.method !== method) continue;
      const pathParameters = parametersIn(segments, compiledRoute.segments);
      if (pathParameters) return { route, pathParameters };
    }
    return fallback && { route: fallback, pathParameters: {} };
  };
}

function compile<R extends Keyed>(route: R): Compiled<R> {
  const [, method, path] = KEY.exec(route.key) ?? [];
  const segments = path?.split('/').map(parseSegment) ?? [];
  const isOdd = segments.some(
    ({ kind, name }, index) =>
      (kind === Kind.text && /[{}]/.test(name)) || (kind === Kind.greedy && index < segments.length - 1),
  );
  if (method === undefined || isOdd) {
    throw new Error(
      `expected a route key like GET /pets/{id}, ANY /{proxy+} or ${DEFAULT_ROUTE}, got ${route.key}`,
    );
  }
  return { route, method, segments };
}

function parseSegment(text: string): Segment {
  const [, name, plus] = VARIABLE.exec(text) ?? [];
  if (name === undefined) return { kind: Kind.text, name: text };
  return { kind: plus === '+' ? Kind.greedy : Kind.variable, name };
}

function byPriority(a: Compiled<unknown>, b: Compiled<unknown>): number {
  const differences = [
    Number(isGreedy(a)) - Number(isGreedy(b)),
    ...a.segments.map(({ kind }, index) => kind - (b.segments[index]?.kind ?? kind)),
    Number(a.method === ANY) - Number(b.method === ANY),
  ];
  return differences.find((difference) => difference !== 0) ?? 0;
}

const isGreedy = ({ segments }: Compiled<unknown>): boolean => segments.at(-1)?.kind === Kind.greedy;

/** No variable is empty: [inference] for `GET /pets/` and a route `GET /pets/{id}`. */
function parametersIn(
  path: readonly string[],
  segments: readonly Segment[],
): Record<string, string> | undefined {
  const greedy = segments.at(-1)?.kind === Kind.greedy;
  if (greedy ? path.length < segments.length : path.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, { kind, name }] of segments.entries()) {
    const value = kind === Kind.greedy ? path.slice(index).join('/') : (path[index] ?? '');
    if (kind === Kind.text ? value !== name : value === '') return undefined;
    if (kind !== Kind.text) parameters[name] = value;
  }
  return parameters;
}
