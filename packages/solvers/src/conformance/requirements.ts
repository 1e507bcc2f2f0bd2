import type { PlannedForm, SiteWeight, Solution } from "@mbs/contracts";
import { groupWidth, limitsOfGrid } from "@mbs/numbers";

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

/** Codes or blocks are those that were predicted. A weight of one group has no scattered columns. */
export function requirePlanned({ columns }: SiteWeight, { quantised, blocks }: Solution, planned: PlannedForm): void {
  if (typeof planned === "object" && "kind" in planned) {
    return require(blocks !== undefined, "makes no blocks, and its plannedCodes says that it does");
  }
  require(blocks === undefined, "makes blocks, and its plannedCodes does not say so");
  if (typeof planned === "string") return require(quantised === undefined, `makes codes, and its plannedCodes says ${planned}`);
  require(quantised !== undefined, "makes no codes, and its plannedCodes says that it does");
  const { bits, groupSize, groupOf } = quantised;
  const { grid, scattered } = planned;
  const size = groupWidth(columns, grid);
  require(bits === grid.bits, `codes have ${bits} bits, its plannedCodes says ${grid.bits}`);
  require(groupSize === size, `groups have ${groupSize} columns, its plannedCodes says ${size}`);
  const apart = groupOf.some((group, column) => group !== Math.floor(column / size));
  const { leastZero, mostZero } = limitsOfGrid(grid);
  const outside = quantised.zeros.find((zero) => zero < leastZero || zero > mostZero);
  require(outside === undefined, `has the zero point ${outside}, its plannedCodes says ${grid.zeroPoints}`);
  require(scattered || !apart, "columns of a group stand apart, and its plannedCodes says that they do not");
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
  require(sameArray(first.blocks, second.blocks), `blocks differ ${when}`);
  require(sameArray(first.inputScale, second.inputScale), `input scales differ ${when}`);
  for (const key of ["codes", "scales", "zeros", "groupOf"] as const) {
    require(sameArray(first.quantised?.[key], second.quantised?.[key]), `${key} differ ${when}`);
  }
}
