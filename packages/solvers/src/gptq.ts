import { defineSolver } from "@mbs/contracts";
import { columnRounding, columnRoundingOptions, roundingCodes, roundingOrder } from "./feedback/column-rounding.ts";
import { settleColumns } from "./feedback/error-feedback.ts";
import { propagateError, qepDefault, qepOption, readsOfQep } from "./feedback/error-propagation.ts";
import { gridDefaults } from "./grids/quantisation-options.ts";

/** GPTQ: rounds column by column and spreads each column's error over those not yet rounded. */
export const gptq = defineSolver({
  name: "gptq",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "rounds weights to 2 to 8 bits, column by column, with error feedback",
  needs: ["factor", "gram", "crossMoment"],
  reads: ({ sweeps, qep = 0 }) => ["factor", ...(sweeps === 0 ? [] : (["gram"] as const)), ...readsOfQep(qep)],
  options: {
    ...columnRoundingOptions,
    sweeps: {
      kind: "integer",
      description:
        "times that all codes are chosen again behind the error feedback, each given all others, with new scales; each takes as long as that",
      default: 4,
      minimum: 0,
      maximum: 100,
    },
    qep: qepOption,
  },
  rowsAreIndependent: true,
  prefersNormalisedTokens: true,
  preferredOrder: roundingOrder,
  dependentDefaults: (options, setting) => ({
    ...gridDefaults(options, setting),
    ...qepDefault(setting),
  }),
  plannedCodes: roundingCodes,
  async solve(weight, statistics, { sweeps, qep = 0, ...options }, context) {
    const { factor } = statistics;
    const values = await propagateError(context.blas, weight, statistics, qep);
    const rounding = columnRounding(factor, options);
    const descent = sweeps === 0 ? undefined : { sweeps, gram: statistics.gram };
    return settleColumns({ ...weight, values }, factor, { blockSize: options.blockSize, rounding, descent }, context);
  },
});
