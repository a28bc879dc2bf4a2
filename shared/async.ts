/** Runs `task` for every item, at most `limit` at a time, and settles all of them, in item order. */
export async function mapLimit<T, R>(
  items: readonly T[],
  limit: number,
  task: (item: T, index: number) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = new Array(items.length);
  const cursor = items.entries();
  const worker = async () => {
    // One shared iterator: each item is taken by exactly one worker.
    for (const [index, item] of cursor) {
      // Promise.try: a task that throws before its first await fails alone, like any other.
      [results[index]] = await Promise.allSettled([Promise.try(task, item, index)]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}

/** The same with the values; if tasks failed it throws the first failure, once all of them have settled. */
export async function mapAll<T, R>(
  items: readonly T[],
  limit: number,
  task: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = await mapLimit(items, limit, task);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** So many at a time: who enters beyond that waits, first come, first served. */
export interface Limit {
  enter(): Promise<void> | undefined;
  leave(): void;
}

export function createLimit(max: number): Limit {
  const waiting: (() => void)[] = [];
  let inside = 0;
  return {
    enter() {
      if (inside < max) {
        inside += 1;
        return undefined;
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    leave() {
      // Whoever waited takes over the place: it does not become free in between.
      const next = waiting.shift();
      if (next) next();
      else inside -= 1;
    },
  };
}

/** Runs `make` when it is first needed, and never again. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Consecutive parts of at most `size` items. */
export function* chunks<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
