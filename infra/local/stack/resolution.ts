import { evaluate } from './conditions.ts';
import { resolve, type Scope } from './intrinsics.ts';
import { createUuid, type Identity, identify, type Place } from './naming.ts';
import type { Parameter, RawResource, Template } from './parse.ts';
import type { Problem } from './problems.ts';
import { type ResourceTypes, supportedType } from './resource-types.ts';
import { show, toText, ValueError, type Values } from './values.ts';

export interface ResolvedResource {
  readonly logicalId: string;
  readonly type: string;
  readonly path: string | undefined;
  readonly identity: Identity;
  /** Empty if the type is not supported. */
  readonly properties: Values;
}

interface Resolution {
  /** Without those whose condition does not hold. */
  readonly resources: readonly ResolvedResource[];
  readonly outputs: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[];
}

/**
 * Resolves what the intrinsic functions of a template stand for.
 * A resource is resolved when something first refers to it, as CloudFormation creates it before what refers to it:
 * so their order in the template does not matter, and a circle that fails there fails here.
 */
export function resolveTemplate(template: Template, place: Place, types: ResourceTypes): Resolution {
  const { problems, attempt } = createCollector();
  const condition = once((name) => evaluate(entryOf(template.conditions, name, 'a condition'), scope));
  const resource = once((logicalId) => {
    const raw = entryOf(template.resources, logicalId, 'a parameter or the logical id of a resource');
    return holds(raw) ? resolveResource(logicalId, raw) : undefined;
  });
  const scope = createScope(template, place, types, condition, resource);
  const holds = (entry: { readonly condition: string | undefined }) =>
    entry.condition === undefined || condition(entry.condition);

  function resolveResource(logicalId: string, { type, path, ...raw }: RawResource): ResolvedResource {
    const where = { logicalId, type, path };
    const properties: Record<string, unknown> = {};
    for (const [property, value] of Object.entries(supportedType(types, type) ? raw.properties : {})) {
      attempt({ ...where, property }, () => {
        const resolved = resolve(value, scope);
        if (resolved !== undefined) properties[property] = resolved;
      });
    }
    for (const dependency of raw.dependsOn) {
      attempt({ ...where, property: 'DependsOn' }, () => resource(dependency));
    }
    const { naming } = supportedType(types, type) ?? {};
    return { ...where, properties, identity: identify(naming, logicalId, properties, place) };
  }

  const resources: ResolvedResource[] = [];
  for (const [logicalId, { type, path }] of template.resources) {
    attempt({ logicalId, type, path }, () => {
      const resolved = resource(logicalId);
      if (resolved) resources.push(resolved);
    });
  }
  const outputs: Record<string, string> = {};
  for (const [name, output] of template.outputs) {
    attempt({ logicalId: `Outputs.${name}` }, () => {
      if (holds(output)) outputs[name] = toText(resolve(output.value, scope), 'Value');
    });
  }
  return { resources, outputs, problems };
}

/** Turns what cannot be read into problems, so that one does not hide the others. */
function createCollector() {
  const problems: Problem[] = [];
  const attempt = (where: Omit<Problem, 'message'>, task: () => void) => {
    try {
      task();
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      problems.push({ ...where, message: error.message });
    }
  };
  return { problems, attempt };
}

function createScope(
  template: Template,
  place: Place,
  types: ResourceTypes,
  condition: (name: string) => boolean,
  resource: (logicalId: string) => ResolvedResource | undefined,
): Scope {
  const pseudoParameters = createPseudoParameters(place);
  const existing = (logicalId: string): ResolvedResource => {
    const found = resource(logicalId);
    if (found) return found;
    throw new ValueError(`expected a resource that exists, got ${logicalId}, whose condition does not hold`);
  };
  return {
    condition,
    ref: (name) => {
      if (pseudoParameters.has(name)) return pseudoParameters.get(name);
      const parameter = template.parameters.get(name);
      return parameter ? parameterValue(parameter, name) : existing(name).identity.ref;
    },
    attribute: (logicalId, name) => attributeOf(existing(logicalId), name, types),
    mapping: (name) => entryOf(template.mappings, name, 'a mapping'),
  };
}

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html */
function createPseudoParameters({ stackName, region, accountId }: Place): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>([
    ['AWS::AccountId', accountId],
    ['AWS::NoValue', undefined],
    ['AWS::NotificationARNs', []],
    ['AWS::Partition', 'aws'],
    ['AWS::Region', region],
    [
      'AWS::StackId',
      `arn:aws:cloudformation:${region}:${accountId}:stack/${stackName}/${createUuid(stackName)}`,
    ],
    ['AWS::StackName', stackName],
    ['AWS::URLSuffix', 'amazonaws.com'],
  ]);
}

/** There is no way to give parameters here, and no Parameter Store: only a default can be used. */
function parameterValue({ type, default: value }: Parameter, name: string): unknown {
  if (type.startsWith('AWS::SSM::')) {
    throw new ValueError(`expected a parameter with a value of its own, got ${name}, which is kept in SSM`);
  }
  if (value === undefined) throw new ValueError(`expected the parameter ${name} to have a default, got none`);
  const isList = type === 'CommaDelimitedList' || type.startsWith('List<');
  return isList
    ? String(value)
        .split(',')
        .map((item) => item.trim())
    : value;
}

function attributeOf(
  { logicalId, type, identity }: ResolvedResource,
  name: string,
  types: ResourceTypes,
): string {
  const value = identity.attributes[name];
  if (value !== undefined) return value;
  if (!supportedType(types, type)) return `${logicalId}.${name}`; // one problem is enough: that of its type
  const known = Object.keys(identity.attributes).join(', ') || 'no attribute at all';
  throw new ValueError(`expected ${known} of ${logicalId} (${type}), got ${name}`);
}

function entryOf<T>(entries: ReadonlyMap<string, T>, name: string, what: string): T {
  if (!entries.has(name)) throw new ValueError(`expected the name of ${what}, got ${show(name)}`);
  return entries.get(name) as T; // it is there, though it may be undefined
}

/** Computes the value of each name once. A name that needs its own value is an error that shows the circle. */
function once<T>(compute: (name: string) => T): (name: string) => T {
  const values = new Map<string, T>();
  const underWay: string[] = [];
  return (name) => {
    if (values.has(name)) return values.get(name) as T; // it is there, though it may be undefined
    if (underWay.includes(name)) {
      const circle = [...underWay.slice(underWay.indexOf(name)), name];
      throw new ValueError(`expected no circle of references, got ${circle.join(' -> ')}`);
    }
    underWay.push(name);
    try {
      const value = compute(name);
      values.set(name, value);
      return value;
    } finally {
      underWay.pop();
    }
  };
}
