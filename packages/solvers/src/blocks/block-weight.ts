import { at } from "@mbs/contracts";
import type { BlockGrid } from "@mbs/gguf";
import type { BlockScales, ColumnGrids } from "@mbs/numbers";

/** The scales of a weight's blocks, and its codes, on their way to bytes. */
export class BlockWeight {
  readonly grid: BlockGrid;
  readonly rows: number;
  readonly columns: number;
  /** Of each block of columns; empty until it is fitted. */
  readonly scales: BlockScales[] = [];

  /** @param columns whole blocks */
  constructor(grid: BlockGrid, rows: number, columns: number) {
    this.grid = grid;
    this.rows = rows;
    this.columns = columns;
  }

  /** The grid of a column and its neighbours in the sub-block, one a row; their block is fitted. */
  gridOf(column: number): ColumnGrids {
    const { rows } = this;
    const { rule } = this.grid;
    const { zero, maximum, levels } = rule;
    const block = at(this.scales, Math.floor(column / rule.columns));
    const first = Math.floor((column % rule.columns) / rule.subColumns) * rows;
    const times = (units: Float32Array, numbers: Int16Array | Uint8Array): Float32Array =>
      units.map((unit, row) => unit * numbers[first + row]!);
    const scales = times(block.scales, block.subScales);
    const offsets = rule.offsets && times(block.offsets, block.subOffsets);
    return { scales, offsets, zero, maximum, levels };
  }

  /** The grids of some columns, [columns, rows]; their blocks are fitted. */
  gridsOf(columns: Int32Array): ColumnGrids {
    const { rows, grid } = this;
    const { subColumns, zero, maximum, levels, offsets: offsetKind } = grid.rule;
    const scales = new Float32Array(columns.length * rows);
    const offsets = offsetKind === undefined ? undefined : new Float32Array(columns.length * rows);
    const made = new Map<number, ColumnGrids>();
    for (const [index, column] of columns.entries()) {
      const sub = Math.floor(column / subColumns);
      const own = made.get(sub) ?? this.gridOf(column);
      made.set(sub, own);
      scales.set(own.scales, index * rows);
      if (own.offsets) offsets?.set(own.offsets, index * rows);
    }
    return { scales, offsets, zero, maximum, levels };
  }

  /**
   * The bytes of all rows, one after the other.
   *
   * @param codes [rows, columns]
   */
  pack(codes: Uint8Array, bytes: Uint8Array): void {
    const { rows, scales: blocks } = this;
    const { rule, pack } = this.grid;
    const subs = rule.columns / rule.subColumns;
    const made = {
      codes,
      scales: new Float32Array(rows * blocks.length),
      offsets: new Float32Array(rows * blocks.length),
      subScales: new Int16Array(rows * blocks.length * subs),
      subOffsets: new Uint8Array(rows * blocks.length * subs),
    };
    for (const [index, block] of blocks.entries()) {
      for (let row = 0; row < rows; row += 1) {
        const to = row * blocks.length + index;
        made.scales[to] = block.scales[row]!;
        made.offsets[to] = block.offsets[row]!;
        for (let sub = 0; sub < subs; sub += 1) {
          made.subScales[to * subs + sub] = block.subScales[sub * rows + row]!;
          made.subOffsets[to * subs + sub] = block.subOffsets[sub * rows + row]!;
        }
      }
    }
    pack(made, bytes);
  }
}
