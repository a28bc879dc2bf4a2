import { isRecord } from '../../../shared/protocol/json.ts';
import type { Predicate } from './operators.ts';

/** One field of an event pattern: what it takes at a path. */
export interface Field {
  /** Split at every dot. */
  readonly path: readonly string[];
  readonly takes: Predicate;
  /** `exists: false`: it takes an event without this field. */
  readonly takesAbsence: boolean;
}

/** The element of an array of the event in which a value stands, and those around it. */
interface Place {
  readonly array: number;
  readonly index: number;
  readonly outer: Place | undefined;
}

/** Elements that fields before have been found in: index by array. */
type Chosen = ReadonlyMap<number, number>;

/** Gives each array of an event its number. */
type Numbering = (array: readonly unknown[]) => number;

/** Where an event has what a field asks for. */
interface Found {
  readonly matching: Places;
  /** The places of all its values, if it matters whether there are any. */
  readonly present: Places | undefined;
}

/**
 * Whether an event has all the fields, as AWS's engine decides it: of each array all fields are found in the same
 * element, or in none. A field counts as absent if it is absent from the elements in which the fields before it were
 * found, so that the fields have to come in the order of their paths. An object in place of a value is no value.
 */
export function matchesAll(fields: readonly Field[], event: unknown): boolean {
  const numberOf = numbering();
  const found: Found[] = [];
  /** Of each array the last field that has values in it: what was chosen makes no difference to later ones. */
  const lastFields = new Map<number, number>();
  for (const [index, field] of fields.entries()) {
    const places = find(field, event, numberOf);
    if (places.matching.isEmpty && !field.takesAbsence) return false;
    for (const { arrays } of [places.matching, places.present ?? places.matching]) {
      for (const array of arrays) lastFields.set(array, index);
    }
    found.push(places);
  }
  return search(found, lastFields);
}

/** Looks for one element of each array. Work grows with the number of elements: no choice is tried twice. */
function search(found: readonly Found[], lastFields: ReadonlyMap<number, number>): boolean {
  const failed = new Set<string>();
  const matchesFrom = (index: number, before: Chosen): boolean => {
    const field = found[index];
    if (!field) return true;
    const chosen = new Map([...before].filter(([array]) => (lastFields.get(array) ?? -1) >= index));
    const key = `${index} ${[...chosen].join(' ')}`;
    if (failed.has(key)) return false;
    const { matching, present } = field;
    if (present && present.agreeing(chosen).length === 0 && matchesFrom(index + 1, chosen)) return true;
    if (matching.agreeing(chosen).some((place) => matchesFrom(index + 1, within(chosen, place)))) return true;
    failed.add(key);
    return false;
  };
  return matchesFrom(0, new Map());
}

function find({ path, takes, takesAbsence }: Field, event: unknown, numberOf: Numbering): Found {
  const matching = new Places();
  const present = takesAbsence ? new Places() : undefined;
  visit(event, path, undefined, numberOf, (leaf, place) => {
    present?.add(place);
    if (takes(leaf)) matching.add(place);
  });
  return { matching, present };
}

/** Every scalar at a path, in arrays too. A member whose name has dots may be several steps of the path. */
function visit(
  value: unknown,
  path: readonly string[],
  place: Place | undefined,
  numberOf: Numbering,
  see: (leaf: unknown, place: Place | undefined) => void,
): void {
  if (Array.isArray(value)) {
    const array = numberOf(value);
    for (const [index, element] of value.entries()) {
      if (typeof element === 'object' && element !== null) {
        visit(element, path, { array, index, outer: place }, numberOf, see);
      } else if (path.length === 0) see(element, place);
    }
  } else if (isRecord(value)) {
    const stepsMax = Object.keys(value).some((name) => name.includes('.')) ? path.length : 1;
    for (let steps = 1; steps <= stepsMax && steps <= path.length; steps++) {
      const name = path.slice(0, steps).join('.');
      if (Object.hasOwn(value, name)) visit(value[name], path.slice(steps), place, numberOf, see);
    }
  } else if (path.length === 0) see(value, place);
}

/** Where values of one field stand, each place once. */
class Places {
  /** Every array that has values in it. */
  readonly arrays = new Set<number>();
  readonly #all = new Set<Place | undefined>();
  /** For one array at a time: the places in each of its elements, and outside of it. */
  readonly #byElement = new Map<number, Map<number | undefined, (Place | undefined)[]>>();

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  add(place: Place | undefined): void {
    if (this.#all.has(place)) return;
    this.#all.add(place);
    for (const { array } of outwards(place)) this.arrays.add(array);
  }

  /** Those that are in no other element than the chosen ones. */
  agreeing(chosen: Chosen): (Place | undefined)[] {
    // Of arrays within arrays the innermost has the fewest.
    const array = [...chosen.keys()].findLast((each) => this.arrays.has(each));
    if (array === undefined) return [...this.#all];
    const byElement = this.#group(array);
    const candidates = [...(byElement.get(chosen.get(array)) ?? []), ...(byElement.get(undefined) ?? [])];
    return candidates.filter((place) =>
      outwards(place).every((each) => (chosen.get(each.array) ?? each.index) === each.index),
    );
  }

  #group(array: number): Map<number | undefined, (Place | undefined)[]> {
    const known = this.#byElement.get(array);
    if (known) return known;
    const groups = Map.groupBy(
      this.#all,
      (place) => outwards(place).find((each) => each.array === array)?.index,
    );
    this.#byElement.set(array, groups);
    return groups;
  }
}

function outwards(place: Place | undefined): Place[] {
  const places: Place[] = [];
  for (let each = place; each; each = each.outer) places.push(each);
  return places;
}

/** What has been chosen before, and the elements of a place that agrees with it, outer ones first. */
const within = (chosen: Chosen, place: Place | undefined): Chosen =>
  new Map([
    ...chosen,
    ...outwards(place)
      .reverse()
      .map(({ array, index }) => [array, index] as const),
  ]);

function numbering(): Numbering {
  const numbers = new Map<readonly unknown[], number>();
  return (array) => {
    const number = numbers.get(array) ?? numbers.size;
    numbers.set(array, number);
    return number;
  };
}
