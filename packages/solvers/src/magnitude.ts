import { defineSolver } from "@mbs/contracts";
import { defaultSparsity, noCodes, parsePattern, sparsityOptions } from "./pruning/pattern.ts";
import { dropUpToShare, maskedValues, patternMask } from "./pruning/selection.ts";

/** Magnitude pruning: the smallest weights of each matrix, or of every M neighbours, become zero. */
export const magnitude = defineSolver({
  name: "magnitude",
  source: "https://arxiv.org/abs/1506.02626",
  summary: "prunes the smallest weights of each matrix, without calibration",
  needs: [],
  options: sparsityOptions,
  plannedCodes: noCodes,
  solve({ columns, values, parts }, _statistics, { sparsity = defaultSparsity, pattern }) {
    const sizes = values.map(Math.abs);
    if (pattern !== undefined) {
      const mask = patternMask(sizes, columns, parsePattern(pattern));
      return { values: maskedValues(values, mask), mask };
    }
    const mask = new Uint8Array(values.length);
    for (const { firstRow, rows } of parts) {
      const start = firstRow * columns;
      mask.set(dropUpToShare(sizes.subarray(start, start + rows * columns), sparsity), start);
    }
    return { values: maskedValues(values, mask), mask };
  },
});
