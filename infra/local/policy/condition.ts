import { compileArn, compileWildcard, type Matcher } from './wildcard.ts';

/** Condition keys of one request: `aws:SourceArn` and the like. */
export type Context = Readonly<Record<string, string>>;

/** By operator, then by key. */
export type ConditionBlock = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export type Condition = (context: Context) => boolean;

interface Operator {
  readonly compile: (value: string) => Matcher;
  /** Holds when no value matches, and also when the key is not there. */
  readonly negated?: boolean;
}

const exactly = (value: string): Matcher => {
  return (text) => text === value;
};
const ignoringCase = (value: string): Matcher => {
  const lower = value.toLowerCase();
  return (text) => text.toLowerCase() === lower;
};

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html */
const OPERATORS: Readonly<Record<string, Operator>> = {
  StringEquals: { compile: exactly },
  StringNotEquals: { compile: exactly, negated: true },
  StringEqualsIgnoreCase: { compile: ignoringCase },
  StringNotEqualsIgnoreCase: { compile: ignoringCase, negated: true },
  StringLike: { compile: compileWildcard },
  StringNotLike: { compile: compileWildcard, negated: true },
  ArnEquals: { compile: compileArn }, // the same as ArnLike, by the guide
  ArnLike: { compile: compileArn },
  ArnNotEquals: { compile: compileArn, negated: true },
  ArnNotLike: { compile: compileArn, negated: true },
  Bool: { compile: ignoringCase },
};

/** All operators and all keys have to hold. Throws for an operator that is not known here. */
export function compileCondition(block: ConditionBlock): Condition {
  const tests = Object.entries(block).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => compileTest(operator, key, [values].flat().map(String))),
  );
  return (context) => tests.every((holds) => holds(context));
}

function compileTest(name: string, key: string, values: readonly string[]): Condition {
  if (name === 'Null') {
    const isAbsent = values.some((value) => value.toLowerCase() === 'true');
    return (context) => (lookUp(context, key) === undefined) === isAbsent;
  }
  const ifExists = name.endsWith('IfExists');
  const operator = OPERATORS[name.replace(/IfExists$/, '')];
  if (!operator) {
    const known = [...Object.keys(OPERATORS), 'Null'].join(', ');
    throw new Error(`expected a condition operator that works locally (${known}, …IfExists), got ${name}`);
  }
  const matchers = values.map(operator.compile);
  const negated = operator.negated ?? false;
  return (context) => {
    const value = lookUp(context, key);
    if (value === undefined) return ifExists || negated;
    return matchers.some((matches) => matches(value)) !== negated;
  };
}

/** Keys are the same in every case. */
function lookUp(context: Context, key: string): string | undefined {
  if (Object.hasOwn(context, key)) return context[key];
  const lower = key.toLowerCase();
  return Object.entries(context).find(([name]) => name.toLowerCase() === lower)?.[1];
}
