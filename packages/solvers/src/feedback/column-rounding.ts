import {
  UsageError,
  type Factor,
  type GroupGrid,
  type OptionTable,
  type OptionValues,
  type PlannedCodes,
  type SiteWeight,
} from "@mbs/contracts";
import { layOutGroups, type ColumnGroups } from "../grids/column-groups.ts";
import { gridRuleOf, requireGroups } from "../grids/site-grid.ts";
import type { Rounding } from "./error-feedback.ts";

/** Option `blockSize` of the methods with error feedback. */
export const blockSizeOption = {
  kind: "integer",
  description: "columns that are processed before the rest is updated",
  default: 128,
  minimum: 1,
  maximum: 4096,
} as const;

/** How GPTQ rounds to groups, and all that rounds column by column; beside blocks `search` and `gridRule` are absent. */
export const columnRoundingOptions = {
  // the best of the variants in docs/gptq-variants.md, chosen on the validation texts; so is the preferred order
  search: {
    kind: "choice",
    description:
      "how a grid's range is found: all of it (none), or the one with the least error, unweighted (error) or weighted by what it costs once later columns have made up for it (hessian)",
    choices: ["none", "error", "hessian"],
    default: "hessian",
    optional: true,
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
    optional: true,
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
function groupsOf(factor: Factor, grid: GroupGrid, staticGroups: boolean): ColumnGroups {
  const { order, orderName } = factor;
  return layOutGroups(order, grid, keepsGroups(orderName, grid.groupSize) || staticGroups ? "column" : "position");
}

const { search: searchOption, gridRule: ruleOption } = columnRoundingOptions;

/** How columns are rounded to the grid of a weight, by the options and the factor's order. */
export function columnRounding(
  weight: SiteWeight,
  factor: Factor,
  options: Omit<OptionValues<typeof columnRoundingOptions>, "blockSize">,
): Rounding {
  const { search = searchOption.default, staticGroups, gridRule = ruleOption.default } = options;
  const grid = requireGroups(weight);
  const groups = groupsOf(factor, grid, staticGroups);
  // one grid a row is fitted at the start by definition, on the weights that the first block begins with
  const beforehand = staticGroups || (groups.groups === 1 && gridRule === "reference");
  return { rule: gridRuleOf(weight, grid, search), groups, fit: beforehand ? "beforehand" : gridRule };
}

/** The column order that keeps groups together and takes the largest inputs first. */
export const roundingOrder = (_: unknown, { groupSize }: GroupGrid): string =>
  groupSize === 0 ? "activation" : `${groupAware}${groupSize}`;

/** The codes of column rounding: neighbours in an order of its own share a grid where nothing keeps groups together. */
export const roundingCodes = (
  { staticGroups }: { readonly staticGroups: boolean },
  order: string,
  grid: GroupGrid,
): PlannedCodes => {
  const isTogether = keepsGroups(order, grid.groupSize) || grid.groupSize === 0 || staticGroups || order === "natural";
  return { grid, scattered: !isTogether };
};
