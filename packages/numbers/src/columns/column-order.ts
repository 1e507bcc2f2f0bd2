import { at, UsageError } from "@mbs/contracts";
import { naturalOrder } from "./ordering.ts";

/** A way to order the columns of a site, by the diagonal of H. */
export interface ColumnOrder {
  /** natural, activation or group-aware:G. */
  readonly name: string;
  /** Position → column for a diagonal, length width. */
  arrange(diagonal: Float32Array): Int32Array;
}

/** Columns with the largest inputs first; equal ones stay in their order. */
const byActivation = (diagonal: Float32Array): Int32Array =>
  naturalOrder(diagonal.length).sort((first, second) => at(diagonal, second) - at(diagonal, first) || first - second);

/**
 * Whole groups of neighbouring columns by their largest diagonal, and the columns within each by their own, so that groups
 * stay what they are in the weight and need no index. A last group that is cut short stays last.
 *
 * @see arXiv:2505.14638, group-aware reordering
 */
function byGroup(diagonal: Float32Array, groupSize: number): Int32Array {
  const whole = Math.floor(diagonal.length / groupSize);
  const group = (index: number): Float32Array => diagonal.subarray(index * groupSize, (index + 1) * groupSize);
  const importance = Float32Array.from({ length: whole }, (_, index) => group(index).reduce((a, b) => Math.max(a, b), 0));
  const groups = [...byActivation(importance), ...(whole * groupSize < diagonal.length ? [whole] : [])];
  return Int32Array.from(groups.flatMap((index) => [...byActivation(group(index))].map((column) => index * groupSize + column)));
}

/**
 * Parses `natural`, `activation` or `group-aware:G`.
 *
 * @throws {UsageError} on anything else
 */
export function parseOrder(text: string): ColumnOrder {
  if (text === "natural") return { name: text, arrange: (diagonal) => naturalOrder(diagonal.length) };
  if (text === "activation") return { name: text, arrange: byActivation };
  const groupSize = Number(/^group-aware:([1-9]\d*)$/.exec(text)?.[1]);
  if (!Number.isSafeInteger(groupSize)) {
    throw new UsageError(`--order takes natural, activation or group-aware:G (G columns a group), not ${JSON.stringify(text)}`, {
      option: "order",
    });
  }
  return { name: text, arrange: (diagonal) => byGroup(diagonal, groupSize) };
}
