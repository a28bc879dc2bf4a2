/** One of the two that the API has; binary is in base64. */
export type SecretValue = { readonly SecretString: string } | { readonly SecretBinary: string };

export interface Version {
  readonly id: string;
  readonly createdAtMs: number;
  readonly value: SecretValue;
  /** Each label is at one version of a secret. */
  readonly stages: readonly string[];
}

/** In the order in which they were made. */
export type Versions = readonly Version[];

export const CURRENT = 'AWSCURRENT';
const PREVIOUS = 'AWSPREVIOUS';

/** More without a label are deleted (user guide, "Quotas": versions per secret). */
const VERSIONS_MAX = 100;

export const versionAt = (versions: Versions, stage: string): Version | undefined =>
  versions.find(({ stages }) => stages.includes(stage));

/**
 * With a version that takes its labels from the others. What was current until then is the previous one (API reference,
 * PutSecretValue), unless that label is given to another one by name.
 */
export function withVersion(versions: Versions, added: Version): Versions {
  const isFirst = versions.length === 0;
  const stages = isFirst ? [...new Set([...added.stages, CURRENT])] : added.stages;
  const isReplacing = stages.includes(CURRENT) && !stages.includes(PREVIOUS);
  const replaced = isReplacing ? versionAt(versions, CURRENT) : undefined;
  const taken = new Set([...stages, ...(replaced ? [PREVIOUS] : [])]);
  const others = versions.map((version) => ({
    ...version,
    stages: [
      ...version.stages.filter((stage) => !taken.has(stage)),
      ...(version === replaced ? [PREVIOUS] : []),
    ],
  }));
  return bounded([...others, { ...added, stages }]);
}

function bounded(versions: Versions): Versions {
  let surplus = versions.length - VERSIONS_MAX;
  return versions.filter(({ stages }) => stages.length > 0 || surplus-- <= 0);
}
