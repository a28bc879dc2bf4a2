import type { Naming } from './naming.ts';
import { ignored, type Rules } from './rules.ts';

/** A type of resources that run here. */
interface ResourceType {
  readonly rules: Rules;
  readonly naming?: Naming;
  /** The property, with dots, that says which asset of the stack is its code. */
  readonly asset?: string;
}

/** A type that does not run here though people are likely to have it, and what to do about that. */
interface UnsupportedType {
  readonly hint: string;
}

/**
 * By CloudFormation's name of the type. Each service has those of its own in its `resources.ts`, and reads there what its
 * engine needs to know: `readStack` has checked types and properties against the rules, so their shapes are trusted
 * then. Defaults are CloudFormation's.
 */
export type ResourceTypes = Readonly<Record<string, ResourceType | UnsupportedType>>;

/** What the CDK adds by itself. */
export const cdkTypes: ResourceTypes = {
  'AWS::CDK::Metadata': { rules: { Analytics: ignored('It is for the CDK team.') } },
};

/** The type, if its resources run here. */
export function supportedType(types: ResourceTypes, name: string): ResourceType | undefined {
  const type = Object.hasOwn(types, name) ? types[name] : undefined;
  return type && 'rules' in type ? type : undefined;
}

/** What to do about a type whose resources do not run here. */
export function hintFor(types: ResourceTypes, name: string): string {
  const type = Object.hasOwn(types, name) ? types[name] : undefined;
  if (type && 'hint' in type) return type.hint;
  if (name.startsWith('Custom::') || name === 'AWS::CloudFormation::CustomResource') {
    return 'Custom resources run while a stack is deployed, and nothing is deployed here.';
  }
  return 'Move it to another stack, or leave it out of this one when it runs locally.';
}
