import { defineSolver, type Blas, type Factor } from "@mbs/contracts";
import { permuteSymmetric } from "@mbs/numbers";
import { columnRounding, columnRoundingOptions, roundingCodes, roundingOrder } from "./feedback/column-rounding.ts";
import { fixColumns } from "./feedback/error-feedback.ts";

const options = {
  ...columnRoundingOptions,
  alpha: {
    kind: "number",
    description: "how much of the difference to the dense model's inputs is compensated, from none (0, which is gptq) to all (1)",
    default: 0.25,
    minimum: 0,
    maximum: 1,
  },
} as const;

/**
 * P = α·((C·Uᵀ) above its diagonal)·U, with C = E[(x̃ - x) xᵀ] in the factor's order: row j says what the later columns
 * have to add for w[j]·(x̃ - x)[j], so that the output is that of the dense model's inputs x̃.
 *
 * @returns [columns, columns], zero on and below the diagonal
 * @see arXiv:2504.02692 section 4; α is the reference program's, 1 in the paper
 */
async function asymmetryOf(blas: Blas, crossMoment: Float32Array, factor: Factor, alpha: number): Promise<Float32Array> {
  const columns = factor.order.length;
  const square = (values: Float32Array) => ({ rows: columns, columns, values });
  const upper = square(factor.upper);
  const projected = await blas.gemm(square(permuteSymmetric(crossMoment, factor.order)), upper, { transposeB: true });
  for (let row = 0; row < columns; row += 1) projected.values.fill(0, row * columns, row * columns + row + 1);
  return (await blas.gemm(projected, upper, { alpha })).values;
}

/** GPTAQ: GPTQ that aims at the outputs the dense model has, not at those of its own weights on compressed inputs. */
export const gptaq = defineSolver({
  name: "gptaq",
  source: "https://arxiv.org/abs/2504.02692",
  summary: "gptq that also compensates for what earlier compressed layers did to its inputs",
  needs: ["factor", "crossMoment"],
  grids: ["groups"],
  options,
  preferredOrder: roundingOrder,
  plannedCodes: roundingCodes,
  async solve(weight, { factor, crossMoment }, { alpha, blockSize, ...options }, context) {
    const asymmetry = await asymmetryOf(context.blas, crossMoment, factor, alpha);
    const feedback = { blockSize, rounding: columnRounding(weight, factor, options), asymmetry };
    return fixColumns(weight, factor, feedback, context);
  },
});
