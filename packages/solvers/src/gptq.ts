import { defineSolver } from "@mbs/contracts";
import { columnRounding, columnRoundingOptions, roundingCodes, roundingOrder } from "./feedback/column-rounding.ts";
import { settleColumns } from "./feedback/error-feedback.ts";
import { gridDefaults } from "./grids/quantisation-options.ts";

/** GPTQ: rounds column by column and spreads each column's error over those not yet rounded. */
export const gptq = defineSolver({
  name: "gptq",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "rounds weights to 2 to 8 bits, column by column, with error feedback",
  needs: ["factor", "gram"],
  reads: ({ sweeps }) => (sweeps === 0 ? ["factor"] : ["factor", "gram"]),
  options: {
    ...columnRoundingOptions,
    sweeps: {
      kind: "integer",
      description:
        "times that all codes are chosen again behind the error feedback, each given all others; each takes as long as that",
      default: 0,
      minimum: 0,
      maximum: 100,
    },
  },
  rowsAreIndependent: true,
  preferredOrder: roundingOrder,
  dependentDefaults: gridDefaults,
  plannedCodes: roundingCodes,
  solve(weight, statistics, { sweeps, ...options }, context) {
    const { factor } = statistics;
    const rounding = columnRounding(factor, options);
    const descent = sweeps === 0 ? undefined : { sweeps, gram: statistics.gram };
    return settleColumns(weight, factor, { blockSize: options.blockSize, rounding, descent }, context);
  },
});
