import { isRecord } from '../../../shared/protocol/json.ts';
import { listOf, resolve, type Scope } from './intrinsics.ts';
import { show, toText, ValueError } from './values.ts';

type ConditionFunction = (argument: unknown, scope: Scope) => boolean;

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html */
const functions: Readonly<Record<string, ConditionFunction>> = {
  Condition: (name, scope) => scope.condition(toText(name, 'Condition')),
  'Fn::Equals': equals,
  'Fn::And': (conditions, scope) => evaluateAll(conditions, scope).every(Boolean),
  'Fn::Or': (conditions, scope) => evaluateAll(conditions, scope).some(Boolean),
  'Fn::Not': (argument, scope) => !evaluate(listOf(argument, 'Fn::Not', 1)[0], scope),
};

/** Whether a condition of a template holds. */
export function evaluate(condition: unknown, scope: Scope): boolean {
  const [[name, argument] = ['', undefined]] = isRecord(condition) ? Object.entries(condition) : [];
  const conditionFunction = functions[name];
  if (!conditionFunction) {
    throw new ValueError(`expected one of ${Object.keys(functions).join(', ')}, got ${show(condition)}`);
  }
  return conditionFunction(argument, scope);
}

function equals(argument: unknown, scope: Scope): boolean {
  const [left, right] = listOf(argument, 'Fn::Equals', 2).map((value) =>
    toText(resolve(value, scope), 'Fn::Equals'),
  );
  return left === right;
}

function evaluateAll(conditions: unknown, scope: Scope): boolean[] {
  if (!Array.isArray(conditions))
    throw new ValueError(`expected a list of conditions, got ${show(conditions)}`);
  return conditions.map((condition) => evaluate(condition, scope));
}
