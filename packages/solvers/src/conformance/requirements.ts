import type { Solution } from "@mbs/contracts";

/** A solver that does not keep the contract: what it did, and where. */
export class ConformanceError extends Error {
  override readonly name = "ConformanceError";
}

export function require(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ConformanceError(message);
}

/** Refuses what a check has found. */
export function requireNone(found: string | undefined): void {
  require(found === undefined, found ?? "");
}

const sameArray = (a: ArrayLike<number> | undefined, b: ArrayLike<number> | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.length === b.length &&
    Array.from(a).every((value, index) => Object.is(value, b[index])));

/** Refuses two solutions that differ in a bit. */
export function requireSame(first: Solution, second: Solution, when: string): void {
  require(sameArray(first.values, second.values), `values differ ${when}`);
  require(sameArray(first.mask, second.mask), `masks differ ${when}`);
  require(sameArray(first.inputScale, second.inputScale), `input scales differ ${when}`);
  for (const key of ["codes", "scales", "zeros", "groupOf"] as const) {
    require(sameArray(first.quantised?.[key], second.quantised?.[key]), `${key} differ ${when}`);
  }
}
