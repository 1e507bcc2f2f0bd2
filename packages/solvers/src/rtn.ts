import { defineSolver } from "@mbs/contracts";
import { blockTypeNamed, encodeValues } from "@mbs/gguf";
import { createGridFitter } from "@mbs/numbers";
import { isInBlocks, solveByType } from "./blocks/block-parts.ts";
import { asksForBlocks, besideBlocks, blockOptions, groupDefaults, withoutBlocks } from "./grids/block-option.ts";
import { groupWidth } from "./grids/column-groups.ts";
import { roundToNearest } from "./grids/nearest-rounding.ts";
import { bitsOption, gridOptions, gridRuleOf, neighbouringCodes } from "./grids/quantisation-options.ts";

const { groupSize, search } = gridOptions;

/** Round to nearest: every weight for itself. */
export const rtn = defineSolver({
  name: "rtn",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "rounds each weight to the nearest point of its grid, without calibration",
  needs: [],
  options: {
    ...besideBlocks({ bits: bitsOption }),
    ...gridOptions,
    ...besideBlocks({ groupSize, search }),
    ...blockOptions(),
  },
  rowsAreIndependent: true,
  dependentDefaults: groupDefaults,
  plannedCodes: (options) => (asksForBlocks(options) ? "blocks" : neighbouringCodes(withoutBlocks(options))),
  solve(weight, _statistics, options) {
    if (isInBlocks(weight)) {
      return solveByType(weight, ({ values }, name) => {
        const type = blockTypeNamed(name);
        const blocks = encodeValues(type, values);
        const rounded = new Float32Array(values.length);
        type.decode?.(blocks, rounded);
        return { values: rounded, blocks };
      });
    }
    const { rows, columns, values, scaleDtype } = weight;
    const groups = withoutBlocks(options);
    const rule = { ...gridRuleOf(groups), scaleDtype };
    const fitter = createGridFitter(groupWidth(columns, groups.groupSize), rows, rule);
    const fit = (panel: Float32Array) => fitter(panel);
    return roundToNearest({ values, rows, columns, ...rule, groupSize: groups.groupSize, fit });
  },
});
