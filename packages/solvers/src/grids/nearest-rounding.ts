import type { GroupGrid, Solution } from "@mbs/contracts";
import { codeOf, naturalOrder, restoreOrder, transposeInOrder, valueOf, type FittedGrid } from "@mbs/numbers";
import { layOutGroups } from "./column-groups.ts";

/** What is rounded, and to which grids. */
export interface NearestRounding {
  /** W, [rows, columns]; not modified. */
  readonly values: Float32Array;
  readonly rows: number;
  readonly columns: number;
  readonly grid: GroupGrid;
  /**
   * The fitted grid of a group.
   *
   * @param panel Wᵀ of the group, [columns of the group, rows]
   * @param first its first column
   */
  fit(panel: Float32Array, first: number): FittedGrid | Promise<FittedGrid>;
}

/** Rounds every weight for itself, groups being neighbouring columns. */
export async function roundToNearest(rounding: NearestRounding): Promise<Solution> {
  const { values, rows, columns, grid } = rounding;
  const order = naturalOrder(columns);
  const { groups, groupSize, groupOf } = layOutGroups(order, grid, "column");
  const transposed = transposeInOrder(values, rows, columns, order);
  const codes = new Uint8Array(transposed.length);
  const scales = new Float32Array(rows * groups);
  const zeros = new Uint8Array(rows * groups);
  for (let group = 0; group < groups; group += 1) {
    const start = group * groupSize * rows;
    const panel = transposed.subarray(start, start + groupSize * rows);
    const fitted = await rounding.fit(panel, group * groupSize);
    for (let column = 0; column < panel.length; column += rows) {
      for (let row = 0; row < rows; row += 1) {
        const code = codeOf(panel[column + row]!, fitted.scales[row]!, fitted.zeros[row]!, fitted.maximum);
        codes[start + column + row] = code;
        panel[column + row] = valueOf(code, fitted.scales[row]!, fitted.zeros[row]!);
      }
    }
    for (let row = 0; row < rows; row += 1) {
      scales[row * groups + group] = fitted.scales[row]!;
      zeros[row * groups + group] = fitted.zeros[row]!;
    }
  }
  return {
    values: restoreOrder(transposed, rows, columns, order),
    quantised: {
      bits: grid.bits,
      symmetric: grid.zeroPoints === "middle",
      groupSize,
      groupOf,
      codes: restoreOrder(codes, rows, columns, order),
      scales,
      zeros,
    },
  };
}
