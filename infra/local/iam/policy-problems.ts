import { conditionKeysOf, type PolicyDocument } from '../policy/policy.ts';
import type { Problem } from '../stack/problems.ts';
import type { Resource } from '../stack/stack.ts';

/** The condition keys that all requests carry here. */
const CONDITION_KEYS = [
  'aws:PrincipalAccount',
  'aws:PrincipalArn',
  'aws:PrincipalIsAWSService',
  'aws:RequestedRegion',
  'aws:SecureTransport',
  'aws:SourceAccount',
  'aws:SourceArn',
];

/** Collects what cannot be evaluated in the policies of a template, so that all of it can be said at once. */
export class PolicyProblems {
  readonly found: Problem[] = [];
  readonly #conditionKeys: ReadonlySet<string>;

  /** With the keys that only some services have. Under any other an Allow would never hold, whatever it does on AWS. */
  constructor(conditionKeys: readonly string[]) {
    this.#conditionKeys = new Set([...CONDITION_KEYS, ...conditionKeys].map((key) => key.toLowerCase()));
  }

  /** Uses a document, unless it cannot be evaluated here: then that is a problem of its resource. */
  attempt<T>(resource: Resource, property: string, document: PolicyDocument, use: () => T): T | undefined {
    const keys = conditionKeysOf(document).filter((key) => !this.#conditionKeys.has(key.toLowerCase()));
    if (keys.length > 0) {
      this.add(resource, property, `expected condition keys that requests have here, got ${keys.join(', ')}`);
      return undefined;
    }
    try {
      return use();
    } catch (error) {
      this.add(resource, property, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  add({ logicalId, type, path }: Resource, property: string, message: string, hint?: string): void {
    this.found.push({ logicalId, type, path, property, message, ...(hint !== undefined && { hint }) });
  }
}
