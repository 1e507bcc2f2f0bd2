import { defineSolver } from "@mbs/contracts";
import { fixBlocks } from "./blocks/block-feedback.ts";
import { columnRounding, columnRoundingOptions, roundingCodes, roundingOrder } from "./feedback/column-rounding.ts";
import { fixColumns } from "./feedback/error-feedback.ts";
import { propagateError, qepDamping, qepDefault, qepOption, readsOfQep } from "./feedback/error-propagation.ts";
import { gridOfSite } from "./grids/site-grid.ts";

/** GPTQ: rounds column by column and spreads each column's error over those not yet rounded. */
export const gptq = defineSolver({
  name: "gptq",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "rounds weights to 2 to 8 bits, or to GGUF's types, column by column, with error feedback",
  needs: ["factor", "gram", "crossMoment"],
  reads: ({ sweeps, qep = 0 }) => ["factor", ...(sweeps === 0 ? [] : (["gram"] as const)), ...readsOfQep(qep)],
  grids: ["groups", "blocks"],
  groupOptions: ["search", "staticGroups", "gridRule"],
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
  preferredDamping: ({ qep = 0 }) => qepDamping(qep),
  dependentDefaults: (_, setting) => qepDefault(setting),
  plannedCodes: roundingCodes,
  async solve(weight, statistics, { sweeps, qep = 0, blockSize, ...options }, context) {
    const { factor } = statistics;
    const corrected = { ...weight, values: await propagateError(context.blas, weight, statistics, qep) };
    const descent = sweeps === 0 ? undefined : { sweeps, gram: statistics.gram };
    const grid = gridOfSite(weight);
    if (grid.kind === "blocks") return fixBlocks(corrected, factor, { type: grid.type, blockSize, descent }, context);
    const rounding = columnRounding(weight, factor, options);
    return fixColumns(corrected, factor, { blockSize, rounding, descent }, context);
  },
});
