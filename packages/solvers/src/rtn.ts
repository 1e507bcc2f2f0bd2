import { defineSolver, type GroupGrid } from "@mbs/contracts";
import { quantisationTypeNamed, encodeValues } from "@mbs/gguf";
import { createGridFitter, groupWidth } from "@mbs/numbers";
import { roundToNearest } from "./grids/nearest-rounding.ts";
import { gridOfSite, gridRuleOf, neighbouringCodes, requireGroups, searchOption } from "./grids/site-grid.ts";

/** Round to nearest: every weight for itself. */
export const rtn = defineSolver({
  name: "rtn",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "rounds each weight to the nearest point of its grid, without calibration",
  needs: [],
  grids: ["groups", "blocks"],
  groupOptions: ["search"],
  options: { search: { ...searchOption, optional: true } },
  rowsAreIndependent: true,
  plannedCodes: (_options, _order, grid: GroupGrid) => neighbouringCodes(grid),
  solve(weight, _statistics, { search }) {
    const { rows, columns, values } = weight;
    const asked = gridOfSite(weight);
    if (asked.kind === "blocks") {
      const type = quantisationTypeNamed(asked.type);
      const blocks = encodeValues(type, values);
      const rounded = new Float32Array(values.length);
      type.decode?.(blocks, rounded);
      return { values: rounded, blocks };
    }
    const grid = requireGroups(weight);
    const fitter = createGridFitter(groupWidth(columns, grid), rows, gridRuleOf(weight, grid, search));
    const fit = (panel: Float32Array) => fitter(panel);
    return roundToNearest({ values, rows, columns, grid, fit });
  },
});
