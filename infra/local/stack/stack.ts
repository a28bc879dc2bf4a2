import { isRecord } from '../../../shared/protocol/json.ts';
import type { Account } from '../account.ts';
import { readAssets } from './assets.ts';
import { check } from './check.ts';
import { createRedirect } from './endpoints.ts';
import { apiHost } from './naming.ts';
import { parseTemplate } from './parse.ts';
import { type Problem, TemplateError } from './problems.ts';
import { type ResolvedResource, resolveTemplate } from './resolution.ts';
import { show, type Values } from './values.ts';

export { TemplateError } from './problems.ts';

const API = 'AWS::ApiGatewayV2::Api';
const FUNCTION = 'AWS::Lambda::Function';

type Directories = ReadonlyMap<string, string>;

export interface StackOptions extends Account {
  /** `<stack>.template.json` of the cloud assembly, parsed. */
  readonly template: unknown;
  /** `<stack>.assets.json` of the cloud assembly, parsed. */
  readonly assets: unknown;
  /** Of the cloud assembly: `cdk.out`. */
  readonly directory: string;
  readonly name: string;
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
export function readStack({
  template,
  assets,
  directory,
  name,
  region,
  accountId,
  endpoint,
}: StackOptions): Stack {
  const place = { stackName: name, region, accountId, endpoint };
  const { resources, outputs, problems } = resolveTemplate(parseTemplate(template), place);
  const directories = readAssets(assets, directory);
  const unsupported = resources.flatMap((resource) => findProblems(resource, directories));
  if (problems.length + unsupported.length > 0) throw new TemplateError(name, [...problems, ...unsupported]);
  const redirect = createRedirect(apiHosts(resources, region), endpoint);
  const local = resources.map((resource) => ({ ...resource, properties: redirect(resource.properties) }));
  return createStack(name, local, redirect(outputs), directories);
}

function findProblems(
  { logicalId, type, path, properties }: ResolvedResource,
  directories: Directories,
): Problem[] {
  const findings = check(type, properties);
  const key = assetKey(properties);
  if (type === FUNCTION && key !== undefined && !directories.has(key)) {
    findings.push({
      property: 'Code.S3Key',
      message: `expected the key of an asset of this stack, got ${show(key)}`,
      hint: 'Only code that the CDK packs can run: Code.fromAsset() with a directory, or NodejsFunction.',
    });
  }
  return findings.map((finding) => ({ logicalId, type, path, ...finding }));
}

function apiHosts(resources: readonly ResolvedResource[], region: string): string[] {
  return resources.filter(({ type }) => type === API).map(({ identity }) => apiHost(identity.name, region));
}

function createStack(
  name: string,
  resources: readonly ResolvedResource[],
  outputs: Stack['outputs'],
  directories: Directories,
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
    codeDirectory: (logicalId) => {
      const key = assetKey(get(logicalId).properties);
      return directories.get(key ?? '') ?? fail('a function', logicalId);
    },
  };
}

function toResource({ logicalId, type, path, properties }: ResolvedResource): Resource {
  return { logicalId, type, properties, ...(path !== undefined && { path }) };
}

function assetKey({ Code: code }: Values): string | undefined {
  return isRecord(code) && typeof code.S3Key === 'string' ? code.S3Key : undefined;
}

function fail(expected: string, actual: string): never {
  throw new Error(`expected ${expected}, got ${actual}`);
}
