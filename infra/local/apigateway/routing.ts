export const CONNECT_ROUTE = '$connect';
export const DISCONNECT_ROUTE = '$disconnect';
export const DEFAULT_ROUTE = '$default';

/** What is nested deeper is the key of no route: that has at most 128 characters (API Gateway API reference, Route). */
const KEY_NESTING_MAX = 128;

/** Text to copy, or the path of a value in the message. */
type Part = string | readonly string[];

const TOKEN = /\\\$|\$\{request\.body\.([\w.]+)\}|\$request\.body\.([\w.]+)|[^$\\]+/g;

/**
 * Compiles a route selection expression such as `$request.body.action` into the choice of a message's route
 * key. Variables are stringified and a missing one is empty; what is not JSON goes to `$default`
 * (developer guide, "WebSocket API selection expressions").
 */
export function compileRouteSelection(expression: string): (message: string) => string {
  const parts = parseExpression(expression);
  return (message) => {
    const body = parseJson(message);
    if (body === undefined) return DEFAULT_ROUTE;
    const values = parts.map((part) => (typeof part === 'string' ? part : valueAt(body, part)));
    // JSON.parse takes what is nested thousands deep, JSON.stringify overflows the stack at it.
    if (values.some((value) => isDeeperThan(KEY_NESTING_MAX, value))) return DEFAULT_ROUTE;
    const key = values.map(stringify).join('');
    // `$` is reserved for the predefined routes. What AWS does with {"action":"$connect"} is unknown; no client
    // may run a lifecycle handler here: [inference].
    return key.startsWith('$') ? DEFAULT_ROUTE : key;
  };
}

function parseExpression(expression: string): Part[] {
  const tokens = [...expression.matchAll(TOKEN)];
  if (expression === '' || tokens.map(([text]) => text).join('') !== expression) {
    throw new Error(
      `expected a route selection expression of $request.body.… and literal text, got ${JSON.stringify(expression)}`,
    );
  }
  return tokens.map(([text, braced, bare]) => (braced ?? bare)?.split('.') ?? text.replace('\\$', '$'));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Own properties only: `length` and `constructor` are not in anybody's message. */
function valueAt(body: unknown, path: readonly string[]): unknown {
  let value = body;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** Looks no deeper than that, so that no depth is too much for it. */
const isDeeperThan = (levels: number, value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner)));

function stringify(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
