import { InternalError, type Grid, type GroupGrid, type PlannedCodes, type SiteWeight } from "@mbs/contracts";
import { isDeepStrictEqual } from "node:util";
import type { GridRule } from "@mbs/numbers";

/** What all rows of a weight are rounded to. @throws {InternalError} where parts differ */
export function gridOfSite({ parts }: SiteWeight): Grid {
  const [grid, ...others] = parts.map((part) => part.grid);
  if (grid !== undefined && others.every((other) => isDeepStrictEqual(other, grid))) return grid;
  throw new InternalError(
    grid === undefined ? "the first part of a site has no grid; give it one (withGrid)" : "parts of a site have different grids",
  );
}

/** The grid of groups of a weight. @throws {InternalError} where it has none */
export function requireGroups(weight: SiteWeight): GroupGrid {
  const grid = gridOfSite(weight);
  if (grid.kind === "groups") return grid;
  throw new InternalError(`a site is rounded to ${grid.kind}, and not to groups`);
}

/** How the grids of a weight are fitted. @param search as for `GridRule` */
export const gridRuleOf = (
  { scaleDtype = "f32" }: Pick<SiteWeight, "scaleDtype">,
  grid: GroupGrid,
  search: GridRule["search"] = "none",
): GridRule => ({ grid, search, scaleDtype });

/** The codes of a method whose groups are neighbours in the weight. */
export const neighbouringCodes = (grid: GroupGrid): PlannedCodes => ({ grid, scattered: false });

/** Option `search` of methods that look at the weights of a group alone. */
export const searchOption = {
  kind: "choice",
  description: "how the grid's range is found: all of it (none), or the one with the least error",
  choices: ["none", "error"],
  default: "none",
} as const;
