type Item = Record<string, unknown>;
type Path = string | readonly (string | number)[];

/** Those of an item's attributes that paths lead to: what UpdateItem, GetItem and others answer with. */
export type MapPaths = (paths: readonly Path[], item: Item) => Item;

const PROTO = '__proto__';
/** Nobody else's: it is longer than an attribute's name may be (DynamoDB guide, "Naming rules"). */
const RENAMED = 'proto'.padEnd(65_536, '.');

/** dynalite takes a key `__proto__` of a map, as a topic may be called, for an object's prototype, and loses it. */
export const withProto =
  (mapPaths: MapPaths): MapPaths =>
  (paths, item) => {
    if (!paths.some((path) => path.includes(PROTO))) return mapPaths(paths, item);
    const renamedPaths = paths.map((path) => [path].flat().map((name) => (name === PROTO ? RENAMED : name)));
    return renameKey(RENAMED, PROTO, mapPaths(renamedPaths, renameKey(PROTO, RENAMED, item)));
  };

/** A quote in a text would be escaped: what is replaced is a key. */
const renameKey = (from: string, to: string, item: Item): Item =>
  JSON.parse(JSON.stringify(item).replaceAll(`"${from}":`, `"${to}":`));
