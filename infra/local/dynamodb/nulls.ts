import { RequestError } from '../http/engine.ts';

/** What dynalite says of an input: the types of a structure's members, by their names. */
export type Types = Readonly<Record<string, Type>>;
type Type = string | { readonly type: string; readonly children?: Type | Types };

/**
 * Refuses a null in a map or a list, which dynalite runs into, sometimes where nothing catches what it throws. A null
 * member of a structure is one that is not there: `checked` has no such member any more.
 */
export function expectNoNull(checked: object, types: Types): void {
  if (hasNull(checked)) refuseNull(checked, { type: 'Struct', children: types });
}

function hasNull(value: unknown): boolean {
  if (typeof value !== 'object') return false;
  if (value === null) return true;
  if (Array.isArray(value)) return value.some(hasNull);
  for (const key in value) if (hasNull((value as Record<string, unknown>)[key])) return true;
  return false;
}

/** In two words, as DynamoDB: an attribute's value is missing, or the request is not what it should be. */
function refuseNull(value: unknown, type: Type | undefined): void {
  const { type: name, children } = typeof type === 'object' ? type : { type, children: undefined };
  if (name?.startsWith('AttrStruct')) {
    if (hasNull(value)) throw emptyAttribute();
    return;
  }
  if (value === null) throw unexpectedNull();
  if (typeof value !== 'object') return;
  const isStructure = name?.includes('Struct');
  for (const [key, each] of Object.entries(value)) {
    refuseNull(each, isStructure ? (children as Types)[key] : (children as Type)); // a structure has members' types
  }
}

const emptyAttribute = (): RequestError =>
  new RequestError(
    'com.amazon.coral.validate#ValidationException',
    'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes',
  );

const unexpectedNull = (): RequestError =>
  new RequestError(
    'com.amazon.coral.service#SerializationException',
    'expected something in a map or a list, got null',
  );
