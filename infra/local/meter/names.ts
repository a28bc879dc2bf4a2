import type { Stack } from '../stack/stack.ts';

/** Ids that say what a construct is, not what it is for. */
const NO_NAMES: ReadonlySet<string> = new Set(['Resource', 'Function', 'Default']);

/** Names of resources of one type, by their physical names: `fanout` for the function of `Fanwire/Fanout/Function`. */
export function shortNames(stack: Stack, type: string): Map<string, string> {
  const resources = stack.ofType(type);
  const wanted = resources.map(({ path, logicalId }) => nameOf(path) ?? logicalId);
  return new Map(
    resources.map(({ logicalId }, index) => {
      const physicalName = stack.physicalName(logicalId);
      const name = wanted[index] ?? physicalName;
      const isUnique = wanted.filter((each) => each === name).length === 1;
      return [physicalName, isUnique ? name : physicalName];
    }),
  );
}

function nameOf(path: string | undefined): string | undefined {
  const id = path?.split('/').findLast((each) => !NO_NAMES.has(each));
  return id && id.charAt(0).toLowerCase() + id.slice(1);
}
