import type { Resource } from '../stack/stack.ts';
import type { PolicyDocument, Statement } from './policy.ts';

/** What a template allows others to do with one of its resources, and where in it that is said. */
export interface Grant {
  /** Of the resource that it is about. */
  readonly arn: string;
  readonly resource: Resource;
  readonly property: string;
  readonly document: PolicyDocument;
}

/** A policy that may be given as its one statement. */
export const documentOf = (given: PolicyDocument | Statement): PolicyDocument =>
  'Statement' in given ? given : { Statement: given };
