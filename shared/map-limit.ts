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
