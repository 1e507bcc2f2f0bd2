import { defineSolver, UsageError, type Factor } from "@mbs/contracts";
import { layOutGroups, type ColumnGroups } from "./column-groups.ts";
import { settleColumns } from "./error-feedback.ts";
import { bitsOption, blockSizeOption, gridOptions } from "./quantisation-options.ts";

const options = {
  bits: bitsOption,
  ...gridOptions,
  // the best of the variants that tools/variants tables, chosen on the validation texts; so is the preferred order
  mse: { ...gridOptions.mse, default: true },
  staticGroups: {
    kind: "flag",
    description: "groups are neighbours in the weight whatever the order, their grids fitted beforehand",
    default: false,
  },
  gridRule: {
    kind: "choice",
    description: "weights a group's grid is fitted on: as the reference has them, or with the block's own updates",
    choices: ["reference", "updated"],
    default: "reference",
  },
  blockSize: blockSizeOption,
} as const;

const groupAware = "group-aware:";

/** Groups of neighbouring columns in the order of processing, or in the weight where the order keeps those together. */
function groupsOf(factor: Factor, groupSize: number, staticGroups: boolean): ColumnGroups {
  const { order, orderName } = factor;
  if (!orderName.startsWith(groupAware) || groupSize === 0) {
    return layOutGroups(order, groupSize, staticGroups ? "column" : "position");
  }
  if (Number(orderName.slice(groupAware.length)) !== groupSize) {
    throw new UsageError(
      `the factor's order is ${orderName}, which splits groups of ${groupSize}; solve with --order ${groupAware}${groupSize}`,
      { order: orderName, groupSize },
    );
  }
  return layOutGroups(order, groupSize, "column");
}

/** GPTQ: rounds column by column and spreads each column's error over those not yet rounded. */
export const gptq = defineSolver({
  name: "gptq",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "rounds weights to 2 to 8 bits, column by column, with error feedback",
  needs: ["factor"],
  options,
  preferredOrder: ({ groupSize }) => (groupSize === 0 ? "activation" : `${groupAware}${groupSize}`),
  solve(weight, { factor }, { bits, symmetric, mse, groupSize, staticGroups, gridRule, blockSize }, context) {
    const groups = groupsOf(factor, groupSize, staticGroups);
    // one grid a row is fitted at the start by definition, on the weights that the first block begins with
    const beforehand = staticGroups || (groups.groups === 1 && gridRule === "reference");
    const rounding = { rule: { bits, symmetric, mse }, groups, fit: beforehand ? "beforehand" : gridRule } as const;
    return settleColumns(weight, factor, { blockSize, rounding }, context);
  },
});
