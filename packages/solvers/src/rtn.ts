import { defineSolver } from "@mbs/contracts";
import { createGridFitter } from "@mbs/numbers";
import { groupWidth } from "./grids/column-groups.ts";
import { roundToNearest } from "./grids/nearest-rounding.ts";
import { bitsOption, gridDefaults, gridOptions, gridRuleOf, neighbouringCodes } from "./grids/quantisation-options.ts";

/** Round to nearest: every weight for itself. */
export const rtn = defineSolver({
  name: "rtn",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "rounds each weight to the nearest point of its grid, without calibration",
  needs: [],
  options: { bits: bitsOption, ...gridOptions },
  rowsAreIndependent: true,
  dependentDefaults: gridDefaults,
  plannedCodes: neighbouringCodes,
  solve({ rows, columns, values, scaleDtype }, _statistics, options) {
    const rule = { ...gridRuleOf(options), scaleDtype };
    const fitter = createGridFitter(groupWidth(columns, options.groupSize), rows, rule);
    const fit = (panel: Float32Array) => fitter(panel);
    return roundToNearest({ values, rows, columns, ...rule, groupSize: options.groupSize, fit });
  },
});
