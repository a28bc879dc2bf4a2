import {
  type Element,
  type Field,
  type List,
  matching,
  type OnLook,
  outlineOf,
  present,
  stepsOf,
  type Trait,
} from './outline.ts';

/** Elements in which fields before have been found, each by its list. */
type Chosen = ReadonlyMap<List, Element>;
type Choice = readonly [List, Element];

/**
 * Decides whether an event has all fields of one of the alternatives, as AWS's engine decides it: of each array all fields
 * are found in the same element, or in none. A field counts as absent if it is absent from the elements in which the
 * fields before it were found, so that the fields have to come in the order of their paths. An object in place of a value
 * is no value.
 */
export function matcherOf(
  alternatives: readonly (readonly Field[])[],
  onLook: OnLook,
): (event: unknown) => boolean {
  const fields = [...new Set(alternatives.flat())];
  const numbers = new Map(fields.map((field, number) => [field, number]));
  const steps = stepsOf(fields);
  const searches = alternatives.map((alternative) =>
    searchFor(
      alternative.map((field) => ({ ...field, number: numbers.get(field) ?? -1 })),
      onLook,
    ),
  );
  return (event) => {
    const outline = outlineOf(event, steps, fields, onLook);
    return searches.some((search) => search(outline));
  };
}

type Numbered = Pick<Field, 'takesAbsence'> & { readonly number: number };

/** Looks for one element of each list. Of what the fields before have chosen, nothing is tried twice. */
const searchFor =
  (fields: readonly Numbered[], onLook: OnLook) =>
  (outline: Element): boolean => {
    if (!fields.every(({ number, takesAbsence }) => takesAbsence || outline.all.has(matching(number)))) {
      return false;
    }
    const failed = new Set<string>();
    const matchesFrom = (index: number, choices: readonly Choice[]): boolean => {
      const field = fields[index];
      if (!field) return true;
      // What was chosen of a list makes no difference to later fields that have nothing in it.
      const chosen = new Map(choices.filter(([list]) => lastFieldIn(list, fields) >= index));
      const key = keyOf(index, chosen);
      if (failed.has(key)) return false;
      const isAbsent =
        field.takesAbsence && placesOf(present(field.number), outline, chosen, onLook).length === 0;
      if (isAbsent && matchesFrom(index + 1, [...chosen])) return true;
      const places = placesOf(matching(field.number), outline, chosen, onLook);
      if (places.some((place) => matchesFrom(index + 1, [...chosen, ...choicesFor(place)]))) return true;
      failed.add(key);
      return false;
    };
    return matchesFrom(0, []);
  };

const keyOf = (index: number, chosen: Chosen): string =>
  `${index} ${[...chosen.values()].map(({ id }) => id).sort()}`;

const lastFieldIn = ({ all }: List, fields: readonly Numbered[]): number =>
  fields.findLastIndex(({ number }) => all.has(matching(number)) || all.has(present(number)));

/** Elements with a trait that are in no other element than the chosen ones. */
function placesOf(trait: Trait, outline: Element, chosen: Chosen, onLook: OnLook): Element[] {
  const places: Element[] = [];
  const look = (element: Element): void => {
    onLook();
    if (!element.all.has(trait)) return;
    if (element.own.has(trait)) places.push(element);
    for (const list of element.lists) {
      const one = chosen.get(list);
      for (const each of one ? [one] : list.elements.values()) look(each);
    }
  };
  look(outline);
  return places;
}

/** Of every list that an element is in. */
function choicesFor(element: Element): Choice[] {
  const choices: Choice[] = [];
  for (let at = element; at.list; at = at.list.owner) choices.push([at.list, at]);
  return choices;
}
