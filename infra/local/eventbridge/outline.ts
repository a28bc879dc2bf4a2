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

/** Of the field with a number: that it takes a value, or (where absence matters) that there is one. */
export type Trait = number;
export const matching = (field: number): Trait => 2 * field;
export const present = (field: number): Trait => 2 * field + 1;

/** An event, or an object or an array in an array of it, as far as fields ask for what is in it. */
export interface Element {
  readonly id: number;
  /** Of values that are in it, and in no element within it. */
  readonly own: Set<Trait>;
  /** These, and those of all elements within it. */
  readonly all: Set<Trait>;
  readonly lists: List[];
  /** What it is an element of. */
  readonly list: List | undefined;
}

/** An array of an event. */
export interface List {
  readonly owner: Element;
  /** By their kind: of those that have the same traits, in lists that have the same, one stands for all. */
  readonly elements: Map<number, Element>;
  /** Of all elements. */
  readonly all: Set<Trait>;
}

/** Fields by the segments of their paths. */
export interface Steps {
  readonly next: Map<string, Steps>;
  /** The numbers of the fields that end here. */
  readonly fields: number[];
}

export function stepsOf(fields: readonly Field[]): Steps {
  const start: Steps = { next: new Map(), fields: [] };
  for (const [number, { path }] of fields.entries()) {
    let at = start;
    for (const segment of path) {
      const next = at.next.get(segment) ?? { next: new Map(), fields: [] };
      at.next.set(segment, next);
      at = next;
    }
    at.fields.push(number);
  }
  return start;
}

/** Told of each look at a part of an event, for tests of how many there are. */
export type OnLook = () => void;

/** All of an event that makes a difference to the fields; no part of the event is looked at twice. */
export function outlineOf(event: unknown, steps: Steps, fields: readonly Field[], onLook: OnLook): Element {
  const kinds = new Map<string, number>();
  let elements = 0;
  const emptyElement = (list: List | undefined): Element => ({
    id: elements++,
    own: new Set(),
    all: new Set(),
    lists: [],
    list,
  });
  const kindOf = (element: Element): number => {
    const text = describe(element);
    const kind = kinds.get(text) ?? kinds.size;
    kinds.set(text, kind);
    return kind;
  };

  const visit = (value: unknown, at: Steps, element: Element): void => {
    onLook();
    if (Array.isArray(value)) visitArray(value, at, element);
    else if (!isRecord(value)) note(value, at, element, fields);
    else if (at.next.size > 0) {
      for (const name of Object.keys(value)) {
        const next = follow(at, name, onLook);
        if (next) visit(value[name], next, element);
      }
    }
  };

  const visitArray = (array: readonly unknown[], at: Steps, owner: Element): void => {
    const list: List = { owner, elements: new Map(), all: new Set() };
    for (const value of array) {
      if (typeof value !== 'object' || value === null) {
        visit(value, at, owner);
        continue;
      }
      const element = emptyElement(list);
      visit(value, at, element);
      if (element.all.size === 0) continue;
      const kind = kindOf(element);
      if (list.elements.has(kind)) continue;
      list.elements.set(kind, element);
      addAll(list.all, element.all);
    }
    if (list.elements.size === 0) return;
    owner.lists.push(list);
    addAll(owner.all, list.all);
  };

  const root = emptyElement(undefined);
  visit(event, steps, root);
  return root;
}

/** A value that is in an element, under the path of the fields that end here. */
function note(value: unknown, at: Steps, { own, all }: Element, fields: readonly Field[]): void {
  for (const number of at.fields) {
    const field = fields[number];
    if (!field) continue;
    const traits = [];
    if (field.takesAbsence) traits.push(present(number));
    if (!own.has(matching(number)) && field.takes(value)) traits.push(matching(number));
    addAll(own, traits);
    addAll(all, traits);
  }
}

/** A member whose name has dots is several steps of a path. */
function follow(steps: Steps, name: string, onLook: OnLook): Steps | undefined {
  let at: Steps | undefined = steps;
  for (let from = 0; at && from <= name.length; ) {
    onLook();
    const dot = name.indexOf('.', from);
    const end = dot < 0 ? name.length : dot;
    at = at.next.get(name.slice(from, end));
    from = end + 1;
  }
  return at;
}

/** The same text for elements of one kind. */
function describe({ own, lists }: Element): string {
  const within = lists.map(({ elements }) => String([...elements.keys()].sort())).sort();
  return `${[...own].sort()} ${within.join(' ')}`;
}

function addAll<T>(set: Set<T>, values: Iterable<T>): void {
  for (const value of values) set.add(value);
}
