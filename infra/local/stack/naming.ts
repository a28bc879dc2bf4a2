import { createHash } from 'node:crypto';
import type { Account } from '../account.ts';
import { toText, type Values } from './values.ts';

/** Where a stack is, or seems to be. */
export interface Place extends Account {
  readonly stackName: string;
  /** For example `http://localhost:4566`. */
  readonly endpoint: string;
}

/** What CloudFormation can tell of a resource once it exists. */
export interface Identity {
  readonly name: string;
  readonly ref: string;
  readonly arn: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly host: string | undefined;
  /** Where it is at the local endpoint, in place of at that host. */
  readonly localPath: string;
}

/** All that a name, an ARN or an attribute can be made of. */
export interface Facts extends Place {
  readonly name: string;
  readonly arn: string;
  readonly properties: Values;
}

type Fact = (facts: Facts) => string;

/** How CloudFormation names a type's resources: the "Return values" of its page in the template reference. */
export interface Naming {
  /** The resource's name if the template gives none. */
  readonly createName: (logicalId: string, stackName: string) => string;
  readonly nameProperty?: string;
  readonly arn?: Fact;
  /** What `Ref` gives, if not the name. */
  readonly ref?: Fact;
  readonly attributes?: Readonly<Record<string, Fact>>;
  /** Where AWS serves it: addresses there lead to the local endpoint. */
  readonly host?: Fact;
  /** What then stands between the local endpoint and the path. */
  readonly localPath?: Fact;
}

/** Facts that many attributes are. */
export const nameOf: Fact = (facts) => facts.name;
export const arnOf: Fact = (facts) => facts.arn;

/** A resource named by a property, or else by us; AWS limits the length. */
export const named = (nameProperty: string, lengthMax: number) => ({
  nameProperty,
  createName: (logicalId: string, stackName: string) => shorten(`${stackName}-${logicalId}`, lengthMax),
});

/** A resource that gets an id from AWS, of lower-case letters and digits. */
export const identified = (length: number) => ({
  createName: (logicalId: string) => createId(logicalId, length),
});

const unnamed: Naming = { createName: (logicalId, stackName) => `${stackName}-${logicalId}` };

/** Who a resource is. The same at every start, so that its state on disk is found again. */
export function identify(
  naming: Naming = unnamed,
  logicalId: string,
  properties: Values,
  place: Place,
): Identity {
  const createdName = naming.createName(logicalId, place.stackName);
  const name = naming.nameProperty ? textOf(properties, naming.nameProperty, createdName) : createdName;
  const nameFacts: Facts = { ...place, name, properties, arn: '' };
  const facts: Facts = { ...nameFacts, arn: naming.arn?.(nameFacts) ?? '' };
  const attributes = Object.entries(naming.attributes ?? {}).map(([key, fact]) => [key, fact(facts)]);
  return {
    name,
    ref: naming.ref?.(facts) ?? name,
    arn: facts.arn || undefined,
    attributes: Object.fromEntries(attributes),
    host: naming.host?.(facts),
    localPath: naming.localPath?.(facts) ?? '',
  };
}

/** A UUID in form only: always the same for the same text. */
export function createUuid(text: string): string {
  return hash(text).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
}

function createId(text: string, length: number): string {
  return BigInt(`0x${hash(text)}`)
    .toString(36)
    .slice(0, length);
}

/** A name that AWS accepts, and that is still no other resource's. */
function shorten(name: string, lengthMax: number): string {
  if (name.length <= lengthMax) return name;
  const suffix = `-${hash(name).slice(0, 8)}`;
  return name.slice(0, lengthMax - suffix.length) + suffix;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A property that is a text, or what it is without it. */
export function textOf(properties: Values, property: string, otherwise: string): string {
  return properties[property] === undefined ? otherwise : toText(properties[property], property);
}
