import { isRecord } from '../../../shared/protocol/json.ts';
import type { Problem } from './problems.ts';
import { hintFor, type ResourceTypes, supportedType } from './resource-types.ts';
import type { Rule, Rules } from './rules.ts';
import { show, type Values } from './values.ts';

/** What stands in a resource's way, apart from which resource it is. */
type Finding = Pick<Problem, 'property' | 'message' | 'hint'>;

/** All that the local engines cannot do of a resource whose properties are resolved. */
export function check(name: string, properties: Values, types: ResourceTypes): Finding[] {
  const type = supportedType(types, name);
  if (!type) return [{ message: 'resources of this type do not run locally', hint: hintFor(types, name) }];
  return checkEntries(properties, '', type.rules);
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
