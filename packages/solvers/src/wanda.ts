import { defineSolver } from "@mbs/contracts";
import { maskedValues } from "./masked-values.ts";
import { defaultSparsity, parsePattern, patternMask, sparsityOptions } from "./pattern.ts";
import { dropSmallest } from "./selection.ts";
import { variantMask } from "./wanda-variant.ts";

/** Wanda: prunes by |w| times the norm of the input, compared within each row; nothing is updated. */
export const wanda = defineSolver({
  name: "wanda",
  source: "https://arxiv.org/abs/2306.11695",
  summary: "prunes the weights with the smallest product of size and input norm in each row",
  needs: ["diagonal"],
  options: {
    ...sparsityOptions,
    useVariant: {
      kind: "flag",
      description: "let rows differ in sparsity, by Wanda's own threshold search",
      default: false,
      excludes: ["pattern"],
    },
  },
  solve({ columns, values, parts }, { diagonal }, { sparsity = defaultSparsity, pattern, useVariant }) {
    const norms = diagonal.map(Math.sqrt);
    const scores = new Float32Array(values.length);
    for (let start = 0; start < scores.length; start += columns) {
      for (let column = 0; column < columns; column += 1) {
        scores[start + column] = Math.abs(values[start + column]) * norms[column];
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
  },
});
