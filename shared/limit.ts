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
