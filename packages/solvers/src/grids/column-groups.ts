import { at, type GroupGrid } from "@mbs/contracts";
import { groupWidth } from "@mbs/numbers";

/** Which columns share a grid. */
export interface ColumnGroups {
  /** Columns a group; all of them where one group spans the row. */
  readonly groupSize: number;
  readonly groups: number;
  /** Group of each position in the order of processing. */
  readonly groupAt: Int32Array;
  /** Group of each column in natural order (g_idx). */
  readonly groupOf: Int32Array;
}

/**
 * Lays out the groups of a weight.
 *
 * @param order position → column
 * @param by "position": neighbours in the order of processing; "column": neighbours in the weight
 */
export function layOutGroups(order: Int32Array, grid: GroupGrid, by: "position" | "column"): ColumnGroups {
  const columns = order.length;
  const size = groupWidth(columns, grid);
  const groupAt = order.map((column, position) => Math.floor((by === "column" ? column : position) / size));
  const groupOf = new Int32Array(columns);
  for (const [position, column] of order.entries()) groupOf[column] = at(groupAt, position);
  return { groupSize: size, groups: Math.ceil(columns / size), groupAt, groupOf };
}

/** First position after `from` that belongs to another group. */
export function endOfGroup(groupAt: Int32Array, from: number): number {
  let end = from + 1;
  while (end < groupAt.length && groupAt[end] === groupAt[from]) end += 1;
  return end;
}
