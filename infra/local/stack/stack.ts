import { isRecord } from '../../../shared/protocol/json.ts';
import type { Account } from '../account.ts';
import { readAssets } from './assets.ts';
import { check } from './check.ts';
import { createRedirect } from './endpoints.ts';
import { parseTemplate } from './parse.ts';
import { type Problem, TemplateError } from './problems.ts';
import { type ResolvedResource, resolveTemplate } from './resolution.ts';
import { type ResourceTypes, supportedType } from './resource-types.ts';
import { show, type Values } from './values.ts';

export { TemplateError } from './problems.ts';

type Directories = ReadonlyMap<string, string>;

export interface StackOptions extends Account {
  /** `<stack>.template.json` of the cloud assembly, parsed. */
  readonly template: unknown;
  /** `<stack>.assets.json` of the cloud assembly, parsed. */
  readonly assets: unknown;
  /** Of the cloud assembly: `cdk.out`. */
  readonly directory: string;
  readonly name: string;
  /** Those that run here. */
  readonly types: ResourceTypes;
  /** Where the local engines serve, without a slash at the end: `http://localhost:4566`. */
  readonly endpoint: string;
}

export interface Resource {
  readonly logicalId: string;
  readonly type: string;
  /** Where the CDK app has it, if the template says so. */
  readonly path?: string;
  /** With all intrinsic functions resolved, and the addresses of the stack's APIs replaced by the local endpoint. */
  readonly properties: Values;
}

/** A CloudFormation stack as it would be after its deployment, but here. */
export interface Stack {
  readonly name: string;
  readonly resources: ReadonlyMap<string, Resource>;
  readonly outputs: Readonly<Record<string, string>>;
  ofType(type: string): Resource[];
  /** The name or id that AWS would know the resource by, always the same for the same template. */
  physicalName(logicalId: string): string;
  arn(logicalId: string): string;
  /** What `Ref` gives: for example the URL of a queue. */
  ref(logicalId: string): string;
  /** The absolute path of a function's code. */
  codeDirectory(logicalId: string): string;
}

/** Reads a synthesised template. Throws a `TemplateError` that says all that cannot run here. */
export function readStack(options: StackOptions): Stack {
  const { template, assets, directory, types, name, endpoint, ...account } = options;
  const place = { stackName: name, endpoint, ...account };
  const { resources, outputs, problems } = resolveTemplate(parseTemplate(template), place, types);
  const directories = readAssets(assets, directory);
  const unsupported = resources.flatMap((resource) => findProblems(resource, types, directories));
  if (problems.length + unsupported.length > 0) throw new TemplateError(name, [...problems, ...unsupported]);
  const paths = resources.flatMap(({ identity: { host, localPath } }) =>
    host === undefined ? [] : [[host, localPath] as const],
  );
  const redirect = createRedirect(new Map(paths), endpoint);
  const local = resources.map((resource) => ({ ...resource, properties: redirect(resource.properties) }));
  return createStack(name, local, redirect(outputs), (resource) => codeOf(resource, types, directories));
}

function findProblems(resource: ResolvedResource, types: ResourceTypes, directories: Directories): Problem[] {
  const { logicalId, type, path, properties } = resource;
  const findings = check(type, properties, types);
  const key = assetKey(resource, types);
  if (key !== undefined && !directories.has(key)) {
    findings.push({
      property: supportedType(types, type)?.asset ?? '',
      message: `expected the key of an asset of this stack, got ${show(key)}`,
      hint: 'Only code that the CDK packs can run: Code.fromAsset() with a directory, or NodejsFunction.',
    });
  }
  return findings.map((finding) => ({ logicalId, type, path, ...finding }));
}

/** The directory of a resource's code. */
function codeOf(resource: ResolvedResource, types: ResourceTypes, directories: Directories): string {
  return directories.get(assetKey(resource, types) ?? '') ?? fail('a function', resource.logicalId);
}

/** Which asset a resource's code is, if it has any. */
function assetKey({ type, properties }: ResolvedResource, types: ResourceTypes): string | undefined {
  const path = supportedType(types, type)?.asset?.split('.') ?? [];
  const key = path.reduce<unknown>((value, part) => (isRecord(value) ? value[part] : undefined), properties);
  return typeof key === 'string' ? key : undefined;
}

function createStack(
  name: string,
  resources: readonly ResolvedResource[],
  outputs: Stack['outputs'],
  codeDirectory: (resource: ResolvedResource) => string,
): Stack {
  const resolved = new Map(resources.map((resource) => [resource.logicalId, resource]));
  const get = (logicalId: string) => resolved.get(logicalId) ?? fail(`a logical id of ${name}`, logicalId);
  const visible = new Map(resources.map((resource) => [resource.logicalId, toResource(resource)]));
  return {
    name,
    outputs,
    resources: visible,
    ofType: (type) => [...visible.values()].filter((resource) => resource.type === type),
    physicalName: (logicalId) => get(logicalId).identity.name,
    ref: (logicalId) => get(logicalId).identity.ref,
    arn: (logicalId) => get(logicalId).identity.arn ?? fail('a resource that has an ARN', logicalId),
    codeDirectory: (logicalId) => codeDirectory(get(logicalId)),
  };
}

function toResource({ logicalId, type, path, properties }: ResolvedResource): Resource {
  return { logicalId, type, properties, ...(path !== undefined && { path }) };
}

function fail(expected: string, actual: string): never {
  throw new Error(`expected ${expected}, got ${actual}`);
}
