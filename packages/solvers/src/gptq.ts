import { defineSolver } from "@mbs/contracts";
import { columnRounding, columnRoundingOptions, roundingCodes, roundingOrder } from "./feedback/column-rounding.ts";
import { settleColumns } from "./feedback/error-feedback.ts";
import { gridDefaults } from "./grids/quantisation-options.ts";

/** GPTQ: rounds column by column and spreads each column's error over those not yet rounded. */
export const gptq = defineSolver({
  name: "gptq",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "rounds weights to 2 to 8 bits, column by column, with error feedback",
  needs: ["factor"],
  options: columnRoundingOptions,
  rowsAreIndependent: true,
  preferredOrder: roundingOrder,
  dependentDefaults: gridDefaults,
  plannedCodes: roundingCodes,
  solve(weight, { factor }, options, context) {
    const rounding = columnRounding(factor, options);
    return settleColumns(weight, factor, { blockSize: options.blockSize, rounding }, context);
  },
});
