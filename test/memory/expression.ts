import type { AttributeValue } from '@aws-sdk/client-dynamodb';

/** The part of DynamoDB's expression language that the repositories use; anything else is refused, never guessed. */

export type Item = Readonly<Record<string, AttributeValue>>;
export interface Variables {
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>> | undefined;
  readonly ExpressionAttributeValues?: Item | undefined;
}
type Condition = (item: Item, variables: Variables) => boolean;
interface Update {
  /** Answers with the item as it is afterwards. */
  readonly apply: (item: Item, variables: Variables) => Item;
  /** What it changes, or would if it were not so already. */
  readonly paths: readonly Path[];
}

type Operand = (item: Item, variables: Variables) => AttributeValue | undefined;
type Path = (variables: Variables) => readonly string[];

const compiled = <T>(compile: (parser: Parser) => T): ((expression: string) => T) => {
  const known = new Map<string, T>();
  return (expression) => {
    const before = known.get(expression);
    if (before) return before;
    const parser = new Parser(expression);
    const made = compile(parser);
    parser.expectEnd();
    known.set(expression, made);
    return made;
  };
};

/** Compiles a ConditionExpression, FilterExpression or KeyConditionExpression. */
export const compileCondition = compiled((parser) => parser.condition());
export const compileUpdate = compiled((parser) => parser.update());
/** Compiles a ProjectionExpression of names without a path. */
export const compileProjection = compiled((parser) => parser.paths());

const TOKEN = /\s*(<=|>=|<>|[=<>(),.+-]|[#:]?[A-Za-z_]\w*)/y;

class Parser {
  readonly #expression: string;
  readonly #tokens: string[] = [];
  #next = 0;

  constructor(expression: string) {
    this.#expression = expression.trim();
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < this.#expression.length) {
      const [, token] = TOKEN.exec(this.#expression) ?? [];
      if (token === undefined) throw this.#unsupported();
      this.#tokens.push(token);
    }
  }

  expectEnd(): void {
    if (this.#next < this.#tokens.length) throw this.#unsupported();
  }

  condition(): Condition {
    const any = this.#list(() => this.#all(), 'OR');
    return (item, variables) => any.some((each) => each(item, variables));
  }

  update(): Update {
    const sets: { readonly path: Path; readonly value: Operand }[] = [];
    const removes: Path[] = [];
    const deletes: typeof sets = [];
    while (this.#next < this.#tokens.length) {
      if (this.#take('SET')) sets.push(...this.#list(() => this.#assignment(), ','));
      else if (this.#take('REMOVE')) removes.push(...this.#list(() => this.#path(), ','));
      else if (this.#take('ADD')) sets.push(...this.#list(() => this.#change(added), ','));
      else if (this.#take('DELETE')) deletes.push(...this.#list(() => this.#change(without), ','));
      else throw this.#unsupported();
    }
    const apply: Update['apply'] = (item, variables) => {
      const values = sets.map(({ value }) => value(item, variables));
      let updated = item;
      for (const [index, { path }] of sets.entries()) {
        const value = values[index];
        if (value === undefined) throw validation('expected an attribute that the item has, got none');
        updated = replace(updated, path(variables), value);
      }
      for (const path of removes) updated = replace(updated, path(variables), undefined);
      // A set that nothing is left of is gone.
      for (const { path, value } of deletes) {
        updated = replace(updated, path(variables), value(updated, variables));
      }
      return updated;
    };
    return { apply, paths: [...[...sets, ...deletes].map(({ path }) => path), ...removes] };
  }

  paths(): Path[] {
    return this.#list(() => this.#path(), ',');
  }

  #all(): Condition {
    const all = this.#list(() => this.#test(), 'AND');
    return (item, variables) => all.every((each) => each(item, variables));
  }

  #test(): Condition {
    if (this.#take('(')) {
      const inner = this.condition();
      this.#expect(')');
      return inner;
    }
    for (const [name, exists] of [
      ['attribute_exists', true],
      ['attribute_not_exists', false],
    ] as const) {
      if (!this.#take(name)) continue;
      const path = this.#inBrackets(() => this.#path());
      return (item, variables) => (valueAt(item, path(variables)) !== undefined) === exists;
    }
    return this.#comparison();
  }

  #comparison(): Condition {
    const left = this.#operand();
    if (this.#take('BETWEEN')) {
      const low = this.#operand();
      this.#expect('AND');
      const high = this.#operand();
      return (item, variables) => {
        const value = left(item, variables);
        return order(value, low(item, variables)) >= 0 && order(value, high(item, variables)) <= 0;
      };
    }
    const holds = COMPARISONS[this.#tokens[this.#next++] ?? ''];
    if (!holds) throw this.#unsupported();
    const right = this.#operand();
    return (item, variables) => holds(left(item, variables), right(item, variables));
  }

  #assignment() {
    const path = this.#path();
    this.#expect('=');
    const first = this.#operand();
    const sign = this.#take('+') ? 1 : this.#take('-') ? -1 : 0;
    if (sign === 0) return { path, value: first };
    const second = this.#operand();
    const value: Operand = (item, variables) => {
      const [a, b] = [first(item, variables)?.N, second(item, variables)?.N];
      return a === undefined || b === undefined ? undefined : { N: String(Number(a) + sign * Number(b)) };
    };
    return { path, value };
  }

  /** Of `ADD` and `DELETE`: what becomes of what is there. */
  #change(change: (there: AttributeValue | undefined, by: AttributeValue) => AttributeValue | undefined) {
    const path = this.#path();
    const by = this.#operand();
    const value: Operand = (item, variables) => {
      const operand = by(item, variables);
      return operand && change(valueAt(item, path(variables)), operand);
    };
    return { path, value };
  }

  #operand(): Operand {
    if (this.#take('size')) {
      const path = this.#inBrackets(() => this.#path());
      return (item, variables) => sizeOf(valueAt(item, path(variables)));
    }
    if (this.#take('if_not_exists')) {
      return this.#inBrackets(() => {
        const path = this.#path();
        this.#expect(',');
        const otherwise = this.#operand();
        return (item, variables) => valueAt(item, path(variables)) ?? otherwise(item, variables);
      });
    }
    const token = this.#tokens[this.#next];
    if (token?.startsWith(':')) {
      this.#next += 1;
      return (_, { ExpressionAttributeValues: values }) => {
        const value = values?.[token];
        if (!value) throw validation(`expected a value for ${token}, got none`);
        return value;
      };
    }
    const path = this.#path();
    return (item, variables) => valueAt(item, path(variables));
  }

  #path(): Path {
    const names = this.#list(() => {
      const name = this.#tokens[this.#next++];
      if (!name || !/^#?[A-Za-z_]/.test(name)) throw this.#unsupported();
      return name;
    }, '.');
    return ({ ExpressionAttributeNames }) =>
      names.map((name) => {
        if (!name.startsWith('#')) return name;
        const real = ExpressionAttributeNames?.[name];
        if (real === undefined) throw validation(`expected a name for ${name}, got none`);
        return real;
      });
  }

  #inBrackets<T>(parse: () => T): T {
    this.#expect('(');
    const parsed = parse();
    this.#expect(')');
    return parsed;
  }

  #list<T>(parse: () => T, separator: string): T[] {
    const parsed = [parse()];
    while (this.#take(separator)) parsed.push(parse());
    return parsed;
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#next] !== token) return false;
    this.#next += 1;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw this.#unsupported();
  }

  #unsupported(): Error {
    const place = this.#tokens.slice(this.#next).join(' ');
    return validation(
      `expected an expression as the repositories use it, got ${this.#expression} (${place})`,
    );
  }
}

/** A number and a number, or a set and a set. */
function added(there: AttributeValue | undefined, by: AttributeValue): AttributeValue {
  if (by.SS) return { SS: [...new Set([...(there?.SS ?? []), ...by.SS])] };
  return { N: String(Number(there?.N ?? 0) + Number(by.N)) };
}

function without(there: AttributeValue | undefined, by: AttributeValue): AttributeValue | undefined {
  const left = (there?.SS ?? []).filter((each) => !by.SS?.includes(each));
  return left.length > 0 ? { SS: left } : undefined;
}

type Comparison = (a: AttributeValue | undefined, b: AttributeValue | undefined) => boolean;
const COMPARISONS: Readonly<Record<string, Comparison>> = {
  '=': (a, b) => order(a, b) === 0,
  // Of an attribute that is not there it holds, unlike the others.
  '<>': (a, b) => order(a, b) !== 0,
  '<': (a, b) => order(a, b) < 0,
  '<=': (a, b) => order(a, b) <= 0,
  '>': (a, b) => order(a, b) > 0,
  '>=': (a, b) => order(a, b) >= 0,
};

/** NaN, for which no comparison holds, unless both are numbers or both are strings. */
export function order(a: AttributeValue | undefined, b: AttributeValue | undefined): number {
  if (a?.N !== undefined && b?.N !== undefined) return Number(a.N) - Number(b.N);
  if (a?.S !== undefined && b?.S !== undefined) return a.S < b.S ? -1 : a.S > b.S ? 1 : 0;
  return Number.NaN;
}

function valueAt(item: Item, path: readonly string[]): AttributeValue | undefined {
  const [name = '', ...rest] = path;
  const value = Object.hasOwn(item, name) ? item[name] : undefined; // a topic may be called `constructor`
  return rest.length === 0 ? value : value?.M && valueAt(value.M, rest);
}

/** The item with another value at the path, or with none. */
function replace(item: Item, path: readonly string[], value: AttributeValue | undefined): Item {
  const [name = '', ...rest] = path;
  if (rest.length === 0) {
    if (value !== undefined) return { ...item, [name]: value };
    const { [name]: _, ...others } = item;
    return others;
  }
  const inner = item[name]?.M;
  if (inner) return { ...item, [name]: { M: replace(inner, rest, value) } };
  if (value === undefined) return item;
  throw validation('expected a path that the item has, got one that is not valid for update');
}

/** The part of an item that is at the paths. */
export function partAt(item: Item, paths: readonly (readonly string[])[]): Item {
  let part: Item = {};
  for (const path of paths) {
    const value = valueAt(item, path);
    if (value) part = graft(part, path, value);
  }
  return part;
}

function graft(item: Item, [name = '', ...rest]: readonly string[], value: AttributeValue): Item {
  return { ...item, [name]: rest.length === 0 ? value : { M: graft(item[name]?.M ?? {}, rest, value) } };
}

function sizeOf(value: AttributeValue | undefined): AttributeValue | undefined {
  if (value?.M) return { N: String(Object.keys(value.M).length) };
  if (value?.SS) return { N: String(value.SS.length) };
  if (value?.S !== undefined) return { N: String(value.S.length) };
  if (value) throw validation('expected size() of a map or a string, got another type');
  return undefined;
}

export function validation(message: string): Error {
  const error = new Error(message);
  error.name = 'ValidationException';
  return error;
}
