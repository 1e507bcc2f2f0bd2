import { defineSolver } from "@mbs/contracts";
import { roundToNearest } from "./nearest-rounding.ts";
import { fitGrid } from "./quantisation-grid.ts";
import { bitsOption, gridOptions, neighbouringCodes } from "./quantisation-options.ts";

/** Round to nearest: every weight for itself. */
export const rtn = defineSolver({
  name: "rtn",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "rounds each weight to the nearest point of its grid, without calibration",
  needs: [],
  options: { bits: bitsOption, ...gridOptions },
  plannedCodes: neighbouringCodes,
  solve({ rows, columns, values, scaleDtype }, _statistics, { bits, groupSize, symmetric, mse }) {
    const fit = (panel: Float32Array) => fitGrid(panel, rows, { bits, symmetric, mse, scaleDtype });
    return roundToNearest({ values, rows, columns, bits, symmetric, groupSize, fit });
  },
});
