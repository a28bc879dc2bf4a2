import { isRecord } from '../../../shared/protocol/json.ts';
import { show, toText, ValueError, type Values } from './values.ts';

/** What the names in a template stand for. Each function throws a `ValueError` for a name it does not know. */
export interface Scope {
  /** Of a parameter, a pseudo parameter or a resource; `undefined` is `AWS::NoValue`. */
  readonly ref: (name: string) => unknown;
  readonly attribute: (logicalId: string, name: string) => string;
  readonly condition: (name: string) => boolean;
  readonly mapping: (name: string) => unknown;
}

type Intrinsic = (argument: unknown, scope: Scope) => unknown;

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html */
const intrinsics: Readonly<Record<string, Intrinsic>> = {
  Ref: (name, scope) => scope.ref(toText(name, 'Ref')),
  'Fn::GetAtt': getAttribute,
  'Fn::Join': join,
  'Fn::Sub': substitute,
  'Fn::Select': select,
  'Fn::Split': split,
  'Fn::If': choose,
  'Fn::FindInMap': findInMap,
};

/** The value with its intrinsic functions replaced by what they stand for. */
export function resolve(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value))
    return value.map((item) => resolve(item, scope)).filter((item) => item !== undefined);
  if (!isRecord(value)) return value;
  const call = intrinsicCall(value);
  return call ? call.intrinsic(call.argument, scope) : resolveEntries(value, scope);
}

function resolveEntries(values: Values, scope: Scope): Values {
  const entries = Object.entries(values).map(([key, value]) => [key, resolve(value, scope)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)); // AWS::NoValue removes a property
}

function intrinsicCall(value: Values): { intrinsic: Intrinsic; argument: unknown } | undefined {
  const [name, ...others] = Object.keys(value);
  if (name === undefined || others.length > 0 || !(name === 'Ref' || name.startsWith('Fn::')))
    return undefined;
  const intrinsic = intrinsics[name];
  if (!intrinsic) throw new ValueError(`expected one of ${Object.keys(intrinsics).join(', ')}, got ${name}`);
  return { intrinsic, argument: value[name] };
}

function getAttribute(argument: unknown, scope: Scope): string {
  const [logicalId, ...name] =
    typeof argument === 'string' ? argument.split('.') : listOf(argument, 'Fn::GetAtt', 2);
  const attribute = name.map((part) => toText(resolve(part, scope), 'the attribute of Fn::GetAtt')).join('.');
  return scope.attribute(toText(logicalId, 'the logical id of Fn::GetAtt'), attribute);
}

function join(argument: unknown, scope: Scope): string {
  const [delimiter, list] = listOf(argument, 'Fn::Join', 2);
  return resolveList(list, 'the values of Fn::Join', scope)
    .map((item) => toText(item, 'a value of Fn::Join'))
    .join(toText(delimiter, 'the delimiter of Fn::Join'));
}

/** `${Name}`, `${Name.Attribute}`, and `${!Name}` for a literal `${Name}`. */
function substitute(argument: unknown, scope: Scope): string {
  const [template, variables] =
    typeof argument === 'string' ? [argument, {}] : listOf(argument, 'Fn::Sub', 2);
  if (!isRecord(variables))
    throw new ValueError(`expected the variables of Fn::Sub to be an object, got ${show(variables)}`);
  return toText(template, 'the text of Fn::Sub').replace(
    /\$\{(!?)([^{}]+)\}/g,
    (_, literal: string, name: string) => {
      if (literal) return `\${${name}}`;
      return toText(substitution(name.trim(), variables, scope), `\${${name}} in Fn::Sub`);
    },
  );
}

function substitution(name: string, variables: Values, scope: Scope): unknown {
  if (Object.hasOwn(variables, name)) return resolve(variables[name], scope);
  return name.includes('.') ? getAttribute(name, scope) : scope.ref(name);
}

function select(argument: unknown, scope: Scope): unknown {
  const [position, list] = listOf(argument, 'Fn::Select', 2);
  const index = Number(toText(resolve(position, scope), 'the index of Fn::Select'));
  const items = resolveList(list, 'the values of Fn::Select', scope);
  if (!(index in items))
    throw new ValueError(`expected Fn::Select to have a value at ${index}, got ${show(items)}`);
  return items[index];
}

function split(argument: unknown, scope: Scope): string[] {
  const [delimiter, text] = listOf(argument, 'Fn::Split', 2);
  return toText(resolve(text, scope), 'the text of Fn::Split').split(
    toText(delimiter, 'the delimiter of Fn::Split'),
  );
}

function choose(argument: unknown, scope: Scope): unknown {
  const [condition, then, otherwise] = listOf(argument, 'Fn::If', 3);
  return resolve(scope.condition(toText(condition, 'the condition of Fn::If')) ? then : otherwise, scope);
}

function findInMap(argument: unknown, scope: Scope): unknown {
  const [name, ...keys] = resolveList(argument, 'Fn::FindInMap', scope).map((key) =>
    toText(key, 'Fn::FindInMap'),
  );
  const found = keys.reduce<unknown>(
    (map, key) => (isRecord(map) ? map[key] : undefined),
    scope.mapping(name ?? ''),
  );
  if (found === undefined)
    throw new ValueError(`expected the mapping ${name} to have ${keys.join(' / ')}, got nothing`);
  return found;
}

function resolveList(value: unknown, what: string, scope: Scope): unknown[] {
  const list = resolve(value, scope);
  if (!Array.isArray(list)) throw new ValueError(`expected ${what} to be a list, got ${show(list)}`);
  return list;
}

/** The arguments of a function, before anything in them is resolved. */
export function listOf(argument: unknown, functionName: string, length: number): unknown[] {
  if (Array.isArray(argument) && argument.length === length) return argument;
  throw new ValueError(`expected ${functionName} to have ${length} arguments, got ${show(argument)}`);
}
