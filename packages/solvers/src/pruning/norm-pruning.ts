import type { OptionValues, SiteWeight, Solution } from "@mbs/contracts";
import { defaultSparsity, parsePattern, sparsityOptions } from "./pattern.ts";
import { dropSmallest, maskedValues, patternMask } from "./selection.ts";
import { variantMask } from "./wanda-variant.ts";

/** The options of Wanda and of what differs from it in the norm alone. */
export const normPruningOptions = {
  ...sparsityOptions,
  useVariant: {
    kind: "flag",
    description: "let rows differ in sparsity, by Wanda's own threshold search",
    default: false,
    excludes: ["pattern"],
  },
} as const;

/**
 * Prunes by |w| times the norm of the column, compared within each row; nothing is updated.
 *
 * @param norms of each column, not negative
 * @see arXiv:2306.11695 §3
 */
export function pruneByNorm(
  { columns, values, parts }: SiteWeight,
  norms: Float32Array,
  { sparsity = defaultSparsity, pattern, useVariant }: OptionValues<typeof normPruningOptions>,
): Solution {
  const scores = new Float32Array(values.length);
  for (let start = 0; start < scores.length; start += columns) {
    for (let column = 0; column < columns; column += 1) {
      scores[start + column] = Math.abs(values[start + column]!) * norms[column]!;
    }
  }
  const mask = new Uint8Array(values.length);
  if (pattern !== undefined) {
    mask.set(patternMask(scores, columns, parsePattern(pattern)));
  } else if (useVariant) {
    for (const { firstRow, rows } of parts) {
      const start = firstRow * columns;
      mask.set(variantMask(scores.subarray(start, start + rows * columns), columns, sparsity), start);
    }
  } else {
    const dropped = Math.trunc(columns * sparsity);
    for (let start = 0; start < scores.length; start += columns) {
      mask.set(dropSmallest(scores.subarray(start, start + columns), dropped), start);
    }
  }
  return { values: maskedValues(values, mask), mask };
}
