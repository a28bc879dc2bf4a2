import type { Stack } from './stack.ts';

interface Named {
  readonly type: string;
  readonly physicalName: string;
  /** Where the CDK app has it, if it does. */
  readonly path?: string | undefined;
  readonly logicalId?: string;
}

/** Ids that say what a construct is, not what it is for. */
const NO_NAMES: ReadonlySet<string> = new Set(['Resource', 'Function', 'Default']);

/**
 * What people call resources: by their physical names, and by the ids of the constructs that they are and that they are
 * in. The innermost id that says what a resource is for is its short name: `fanout` for the function
 * `Fanwire/Fanout/Function`. Two of one type that would have the same short name keep their physical ones.
 */
export class Names {
  readonly #byType: Map<string, readonly Named[]>;
  /** By type, then by physical name. */
  readonly #shortNames: Map<string, ReadonlyMap<string, string>>;

  constructor(resources: readonly Named[]) {
    this.#byType = Map.groupBy(resources, ({ type }) => type);
    this.#shortNames = new Map([...this.#byType].map(([type, named]) => [type, shortNamesOf(named)]));
  }

  /** Those of a stack, and of what every account has. */
  static of(stack: Stack, others: readonly Named[]): Names {
    const resources = stack.resources.values().map(({ type, logicalId, path }) => ({
      ...{ type, logicalId, path },
      physicalName: stack.physicalName(logicalId),
    }));
    return new Names([...resources, ...others]);
  }

  shortName(type: string, physicalName: string): string {
    return this.#shortNames.get(type)?.get(physicalName) ?? physicalName;
  }

  /** Those that somebody may mean: `fanout`, in any case, is enough for all that is in a construct `Fanout`. */
  physicalNames(type: string, name: string): string[] {
    const wanted = name.toLowerCase();
    const isMeant = ({ physicalName, path = '' }: Named): boolean =>
      physicalName === name || path.toLowerCase().split('/').includes(wanted);
    return this.#of(type)
      .filter(isMeant)
      .map(({ physicalName }) => physicalName);
  }

  allPhysicalNames(type: string): string[] {
    return this.#of(type).map(({ physicalName }) => physicalName);
  }

  #of(type: string): readonly Named[] {
    return this.#byType.get(type) ?? [];
  }
}

function shortNamesOf(resources: readonly Named[]): ReadonlyMap<string, string> {
  const byShortName = Map.groupBy(resources, shortNameOf);
  const named = [...byShortName].flatMap(([shortName, same]) =>
    same.length === 1 ? same.map(({ physicalName }) => [physicalName, shortName] as const) : [],
  );
  return new Map(named);
}

function shortNameOf({ path, logicalId, physicalName }: Named): string {
  const id = path?.split('/').findLast((each) => each !== '' && !NO_NAMES.has(each)) ?? logicalId;
  return id === undefined ? physicalName : id.charAt(0).toLowerCase() + id.slice(1);
}
