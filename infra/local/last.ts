/** Remembers its last answer, for what is asked many times in a row. */
export function lastOf<A, R>(
  compute: (argument: A) => R,
  isSame: (a: A, b: A) => boolean = Object.is,
): (argument: A) => R {
  let last: { readonly argument: A; readonly result: R } | undefined;
  return (argument) => {
    if (!last || !isSame(last.argument, argument)) last = { argument, result: compute(argument) };
    return last.result;
  };
}
