import { isRecord } from '../../../shared/protocol/json.ts';
import { show, type Values } from './values.ts';

/** A template as it is written: nothing in it is resolved. */
export interface Template {
  readonly parameters: ReadonlyMap<string, Parameter>;
  readonly mappings: ReadonlyMap<string, unknown>;
  readonly conditions: ReadonlyMap<string, unknown>;
  readonly resources: ReadonlyMap<string, RawResource>;
  readonly outputs: ReadonlyMap<string, RawOutput>;
}

export interface Parameter {
  readonly type: string;
  readonly default: unknown;
}

export interface RawResource {
  readonly type: string;
  /** Where the CDK app has it, if the template says so. */
  readonly path: string | undefined;
  readonly condition: string | undefined;
  readonly dependsOn: readonly string[];
  readonly properties: Values;
}

interface RawOutput {
  readonly condition: string | undefined;
  readonly value: unknown;
}

/** Reads the sections that decide what runs. `Rules` and `Metadata` do not; macros do, but only AWS has them. */
export function parseTemplate(template: unknown): Template {
  if (!isRecord(template)) throw new Error(`expected a CloudFormation template, got ${show(template)}`);
  if (template.Transform !== undefined) {
    throw new Error(`expected a template without macros, got Transform ${show(template.Transform)}`);
  }
  return {
    parameters: parseSection(template, 'Parameters', parseParameter),
    mappings: parseSection(template, 'Mappings', (mapping) => mapping),
    conditions: parseSection(template, 'Conditions', (condition) => condition),
    resources: parseSection(template, 'Resources', parseResource),
    outputs: parseSection(template, 'Outputs', (output) => ({
      condition: textOrNone(output.Condition),
      value: output.Value,
    })),
  };
}

function parseSection<T>(
  template: Values,
  section: string,
  parse: (entry: Values, name: string) => T,
): ReadonlyMap<string, T> {
  const entries = template[section] ?? {};
  if (!isRecord(entries)) throw new Error(`expected ${section} to be an object, got ${show(entries)}`);
  return new Map(
    Object.entries(entries).map(([name, entry]) => {
      if (!isRecord(entry))
        throw new Error(`expected ${section}.${name} to be an object, got ${show(entry)}`);
      return [name, parse(entry, name)];
    }),
  );
}

function parseParameter(parameter: Values): Parameter {
  return { type: String(parameter.Type), default: parameter.Default };
}

function parseResource(resource: Values, logicalId: string): RawResource {
  const { Type: type, Properties: properties = {}, DependsOn: dependsOn = [], Metadata: metadata } = resource;
  if (typeof type !== 'string') throw new Error(`expected ${logicalId} to have a Type, got ${show(type)}`);
  if (!isRecord(properties)) {
    throw new Error(`expected the Properties of ${logicalId} to be an object, got ${show(properties)}`);
  }
  return {
    type,
    path: isRecord(metadata) ? textOrNone(metadata['aws:cdk:path']) : undefined,
    condition: textOrNone(resource.Condition),
    dependsOn: [dependsOn].flat().map(String),
    properties,
  };
}

function textOrNone(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
