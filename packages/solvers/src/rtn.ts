import { defineSolver } from "@mbs/contracts";
import { naturalOrder, restoreOrder, transposeInOrder } from "@mbs/numbers";
import { layOutGroups } from "./column-groups.ts";
import { codeOf, fitGrid, valueOf } from "./quantisation-grid.ts";
import { bitsOption, gridOptions } from "./quantisation-options.ts";

/** Round to nearest: every weight for itself. */
export const rtn = defineSolver({
  name: "rtn",
  source: "https://arxiv.org/abs/2210.17323",
  summary: "rounds each weight to the nearest point of its grid, without calibration",
  needs: [],
  options: { bits: bitsOption, ...gridOptions },
  solve({ rows, columns, values }, _statistics, { bits, groupSize, symmetric, mse }) {
    const order = naturalOrder(columns);
    const groups = layOutGroups(order, groupSize, "column");
    const transposed = transposeInOrder(values, rows, columns, order);
    const codes = new Uint8Array(transposed.length);
    const scales = new Float32Array(rows * groups.groups);
    const zeros = new Uint8Array(rows * groups.groups);
    for (let group = 0; group < groups.groups; group += 1) {
      const start = group * groups.groupSize * rows;
      const panel = transposed.subarray(start, start + groups.groupSize * rows);
      const grid = fitGrid(panel, rows, { bits, symmetric, mse });
      for (const [index, value] of panel.entries()) {
        const row = index % rows;
        const code = codeOf(value, grid.scales[row], grid.zeros[row], grid.maximum);
        codes[start + index] = code;
        panel[index] = valueOf(code, grid.scales[row], grid.zeros[row]);
      }
      for (let row = 0; row < rows; row += 1) {
        scales[row * groups.groups + group] = grid.scales[row];
        zeros[row * groups.groups + group] = grid.zeros[row];
      }
    }
    const { groupSize: size, groupOf } = groups;
    return {
      values: restoreOrder(transposed, rows, columns, order),
      quantised: { bits, symmetric, groupSize: size, groupOf, codes: restoreOrder(codes, rows, columns, order), scales, zeros },
    };
  },
});
