/**
 * dynalite takes every expression apart anew, and its parsers are hundreds of closures made for each: a few fixed
 * expressions took a tenth of the processor time of a query, and more than that to compile the closures again after
 * every full garbage collection. Here each is taken apart once, with places in it for the values of a request. What that
 * gains together with `query.ts`, `npm run bench -- system` measures.
 */

type Names = Readonly<Record<string, string>>;
type Values = Readonly<Record<string, object>>;

/** What a parser is told of a request beside the expression, and where it notes what the expression uses. */
export interface Context {
  readonly attrNames?: Names | undefined;
  readonly attrVals?: Values | undefined;
  readonly unusedAttrNames: Record<string, unknown>;
  readonly unusedAttrVals: Record<string, unknown>;
}

export interface Parser {
  /** Answers with a tree that has the values themselves in it, or with the text of an error; or throws a SyntaxError. */
  parse(expression: string, options: { readonly context: Context }): unknown;
}

interface Known {
  readonly tree: unknown;
  /** The objects in the tree that stand for values, and the values' names. */
  readonly places: ReadonlyMap<unknown, string>;
  readonly usedNames: readonly string[];
  readonly usedValues: readonly string[];
}

/** Whether they are right depends on more than the types of their values. */
const DEPENDS_ON_VALUES = /between|attribute_type/i;
const KNOWN_MAX = 1_000;

/** From now on the parser remembers what it has parsed. */
export function remember(parser: Parser): void {
  const parse = parser.parse.bind(parser);
  const known = new Map<string, Known>();
  parser.parse = (expression, { context }) => {
    if (DEPENDS_ON_VALUES.test(expression)) return parse(expression, { context });
    const key = keyOf(expression, context);
    let found = known.get(key);
    if (!found) {
      found = study(expression, context, parse);
      if (typeof found.tree === 'string') return found.tree;
      if (known.size >= KNOWN_MAX) known.clear();
      known.set(key, found);
    }
    for (const name of found.usedNames) delete context.unusedAttrNames[name];
    for (const name of found.usedValues) delete context.unusedAttrVals[name];
    return fill(found.tree, found.places, context.attrVals ?? {});
  };
}

/** All that a tree depends on but the values: their types, which are the names of their members. */
function keyOf(expression: string, { attrNames, attrVals }: Context): string {
  const types = Object.entries(attrVals ?? {}).map(([name, value]) => [name, Object.keys(value)]);
  return JSON.stringify([expression, attrNames, types]);
}

/** Parses with copies of the values, so that they can be found in the tree, and with nothing used yet. */
function study(expression: string, context: Context, parse: Parser['parse']): Known {
  const { attrNames = {}, attrVals = {} } = context;
  const own = Object.entries(attrVals).map(([name, value]) => [name, { ...value }] as const);
  const unusedAttrNames = { ...attrNames };
  const unusedAttrVals = { ...attrVals };
  const tree = parse(expression, {
    context: { ...context, attrVals: Object.fromEntries(own), unusedAttrNames, unusedAttrVals },
  });
  return {
    tree,
    places: new Map(own.map(([name, value]) => [value, name])),
    usedNames: Object.keys(attrNames).filter((name) => !(name in unusedAttrNames)),
    usedValues: Object.keys(attrVals).filter((name) => !(name in unusedAttrVals)),
  };
}

/** A copy of the tree with the request's values in their places: dynalite may change what it is given. */
function fill(node: unknown, places: Known['places'], values: Values): unknown {
  if (typeof node !== 'object' || node === null) return node;
  const name = places.get(node);
  if (name !== undefined) return values[name];
  if (Array.isArray(node)) return node.map((each) => fill(each, places, values));
  const copy = Object.create(Object.getPrototypeOf(node));
  for (const [key, value] of Object.entries(node)) copy[key] = fill(value, places, values);
  return copy;
}
