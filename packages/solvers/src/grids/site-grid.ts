import { InternalError, type GroupGrid, type PlannedCodes, type SiteWeight } from "@mbs/contracts";
import { isDeepStrictEqual } from "node:util";
import type { GridRule } from "@mbs/numbers";

/** The grid of groups that all rows of a weight are rounded to; undefined where they are rounded to none. @throws {InternalError} where parts differ */
export function groupsOfSite({ parts }: SiteWeight): GroupGrid | undefined {
  const [grid, ...others] = parts.map((part) => part.grid);
  if (others.some((other) => !isDeepStrictEqual(other, grid))) throw new InternalError("parts of a site have different grids");
  if (grid?.kind === "blocks") throw new InternalError(`blocks of ${grid.type} are no groups`);
  return grid?.kind === "groups" ? grid : undefined;
}

/** The same for a solver that always rounds. @throws {InternalError} without a grid */
export function requireGroups(weight: SiteWeight): GroupGrid {
  const grid = groupsOfSite(weight);
  if (grid === undefined) throw new InternalError("a part of a site has no grid");
  return grid;
}

/** How grids are fitted. @param search as for `GridRule` */
export const gridRuleOf = (
  { bits, zeroPoints }: Pick<GroupGrid, "bits" | "zeroPoints">,
  search: GridRule["search"] = "none",
): GridRule => ({
  bits,
  symmetric: zeroPoints === "middle",
  minZeroPoint: zeroPoints === "from-one" ? 1 : 0,
  search,
});

/** The codes of a method whose groups are neighbours in the weight. */
export const neighbouringCodes = ({ bits, groupSize, zeroPoints }: GroupGrid): PlannedCodes => ({
  bits,
  groupSize,
  scattered: false,
  zeroPoints,
});

/** Option `search` of methods that look at the weights of a group alone. */
export const searchOption = {
  kind: "choice",
  description: "how the grid's range is found: all of it (none), or the one with the least error",
  choices: ["none", "error"],
  default: "none",
} as const;
