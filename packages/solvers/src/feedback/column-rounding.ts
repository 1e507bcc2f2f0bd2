import { UsageError, type Factor, type OptionTable, type OptionValues, type PlannedCodes } from "@mbs/contracts";
import { layOutGroups, type ColumnGroups } from "../grids/column-groups.ts";
import type { Rounding } from "./error-feedback.ts";
import {
  bitsOption,
  blockSizeOption,
  gridOptions,
  gridRuleOf,
  zeroPointsOf,
  type GridValues,
} from "../grids/quantisation-options.ts";

/** The options of GPTQ, which all that rounds column by column has. */
export const columnRoundingOptions = {
  bits: bitsOption,
  ...gridOptions,
  // the best of the variants that tools/variants tables, chosen on the validation texts; so is the preferred order
  search: {
    ...gridOptions.search,
    description:
      "how a grid's range is found: all of it (none), or the one with the least error, unweighted (error) or weighted by what it costs once later columns have made up for it (hessian)",
    choices: ["none", "error", "hessian"],
    default: "hessian",
  },
  staticGroups: {
    kind: "flag",
    description: "make groups of neighbouring columns of the weight in every column order, with grids fitted in advance",
    default: false,
  },
  gridRule: {
    kind: "choice",
    description:
      "weights that a group's grid is fitted to: at the start of its block (reference), or when the group is reached (updated)",
    choices: ["reference", "updated"],
    default: "reference",
  },
  blockSize: blockSizeOption,
} as const satisfies OptionTable;

const groupAware = "group-aware:";

/** Whether an order keeps the groups of a weight together. @throws {UsageError} for one that keeps groups of another size */
function keepsGroups(orderName: string, groupSize: number): boolean {
  if (!orderName.startsWith(groupAware) || groupSize === 0) return false;
  if (Number(orderName.slice(groupAware.length)) === groupSize) return true;
  throw new UsageError(
    `the factor's order is ${orderName}, which splits groups of ${groupSize}; factor with --order ${groupAware}${groupSize}`,
    { order: orderName, groupSize },
  );
}

/** Groups of neighbouring columns in the order of processing, or in the weight where the order keeps those together. */
function groupsOf(factor: Factor, groupSize: number, staticGroups: boolean): ColumnGroups {
  const { order, orderName } = factor;
  return layOutGroups(order, groupSize, keepsGroups(orderName, groupSize) || staticGroups ? "column" : "position");
}

/** How columns are rounded, by the options and the factor's order. */
export function columnRounding(factor: Factor, options: OptionValues<typeof columnRoundingOptions>): Rounding {
  const { groupSize, staticGroups, gridRule } = options;
  const groups = groupsOf(factor, groupSize, staticGroups);
  // one grid a row is fitted at the start by definition, on the weights that the first block begins with
  const beforehand = staticGroups || (groups.groups === 1 && gridRule === "reference");
  return { rule: gridRuleOf(options), groups, fit: beforehand ? "beforehand" : gridRule };
}

/** The column order that keeps groups together and takes the largest inputs first. */
export const roundingOrder = ({ groupSize }: { readonly groupSize: number }): string =>
  groupSize === 0 ? "activation" : `${groupAware}${groupSize}`;

/** The codes of column rounding: neighbours in an order of its own share a grid where nothing keeps groups together. */
export const roundingCodes = (
  options: GridValues & { readonly groupSize: number; readonly staticGroups: boolean },
  order: string,
): PlannedCodes => {
  const { bits, groupSize, staticGroups } = options;
  const scattered = !keepsGroups(order, groupSize) && groupSize !== 0 && !staticGroups && order !== "natural";
  return { bits, groupSize, scattered, zeroPoints: zeroPointsOf(options) };
};
