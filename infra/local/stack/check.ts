import { isRecord } from '../../../shared/protocol/json.ts';
import type { Problem } from './problems.ts';
import { hints, type Rule, type Rules, supported } from './rules.ts';
import { show, type Values } from './values.ts';

/** What stands in a resource's way, apart from which resource it is. */
type Finding = Pick<Problem, 'property' | 'message' | 'hint'>;

export function isSupported(type: string): boolean {
  return Object.hasOwn(supported, type);
}

/** All that the local engines cannot do of a resource whose properties are resolved. */
export function check(type: string, properties: Values): Finding[] {
  const rules = supported[type];
  if (!rules) return [{ message: 'resources of this type do not run locally', hint: hintFor(type) }];
  return checkEntries(properties, '', rules);
}

function checkEntries(values: Values, prefix: string, rules: Rules): Finding[] {
  return Object.entries(values).flatMap(([key, value]) => checkProperty(value, `${prefix}${key}`, rules));
}

function checkProperty(value: unknown, property: string, rules: Rules): Finding[] {
  const rule = rules[property];
  if (rule) return checkRule(value, property, rule);
  const inner = Object.keys(rules).filter((name) => name.startsWith(`${property}.`));
  if (inner.length === 0) return [{ property, message: 'not supported locally' }];
  const values = Array.isArray(value) ? value : [value];
  return values.flatMap((item) =>
    isRecord(item)
      ? checkEntries(item, `${property}.`, rules)
      : [{ property, message: `expected an object, got ${show(item)}` }],
  );
}

function checkRule(value: unknown, property: string, rule: Rule): Finding[] {
  switch (rule.kind) {
    case 'honoured':
    case 'ignored':
      return [];
    case 'unsupported':
      return [{ property, message: 'not supported locally', hint: rule.hint }];
    case 'limited':
      if (rule.accepts(value)) return [];
      return [{ property, message: `expected ${rule.expected}, got ${show(value)}`, hint: rule.hint }];
  }
}

function hintFor(type: string): string {
  if (hints[type]) return hints[type];
  if (type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource') {
    return 'Custom resources run while a stack is deployed, and nothing is deployed here.';
  }
  return 'Move it to another stack, or leave it out of this one when it runs locally.';
}
