import { at, UsageError, type Factor } from "@mbs/contracts";
import { createPointSearch, type BlockEncoder, type Codebook } from "@mbs/gguf";
import type { BlockRule, BlockScales, ColumnGrids } from "@mbs/numbers";

/**
 * Scales of blocks of a codebook type, one block a row, as its encoder chooses them.
 *
 * @returns a function of Wᵀ of a block, [rule.columns, rows], and of its columns' importances
 */
export function createPointFitter(
  encoder: BlockEncoder,
  { columns, subColumns }: BlockRule,
  rows: number,
): (weights: Float32Array, importances: Float32Array) => BlockScales {
  const subs = columns / subColumns;
  const row = new Float32Array(columns);
  const blocks = {
    codes: new Uint8Array(columns),
    scales: new Float32Array(1),
    offsets: new Float32Array(1),
    subScales: new Int16Array(subs),
    subOffsets: new Uint8Array(subs),
  };
  return (weights, importances) => {
    const made = {
      scales: new Float32Array(rows),
      offsets: new Float32Array(rows),
      subScales: new Int16Array(subs * rows),
      subOffsets: new Uint8Array(subs * rows).fill(1),
    };
    for (let own = 0; own < rows; own += 1) {
      for (let column = 0; column < columns; column += 1) row[column] = weights[column * rows + own]!;
      encoder.fit(row, 0, blocks, 0, importances, 0);
      made.scales[own] = blocks.scales[0]!;
      for (let sub = 0; sub < subs; sub += 1) made.subScales[sub * rows + own] = blocks.subScales[sub]!;
    }
    return made;
  };
}

/** @throws {UsageError} where an order does not have the columns that are decided together one behind the other */
export function requireSpans({ order, orderName }: Pick<Factor, "order" | "orderName">, span: number, type: string): void {
  if (order.every((column, position) => position % span === 0 || column === at(order, position - 1) + 1)) return;
  throw new UsageError(
    `the factor's order is ${orderName}, which splits the ${span} columns that ${type} decides together; factor with --order natural`,
    { order: orderName, type },
  );
}

/** Chooses points of a codebook for columns of all rows. */
export interface PointRounding {
  /** Columns that are decided together. */
  readonly span: number;
  /**
   * @param wanted values to come near, [span, rows]
   * @param upper U of these columns, [span, span], as {@link PointSearch.find} takes it
   * @param scales one a row
   * @param codes receives what was chosen, [span, rows]
   * @param keeps whether the codes that are there stay where no others are nearer
   * @returns grids on which each column has one value alone, the chosen one
   */
  round(wanted: Float32Array, upper: Float64Array, scales: Float32Array, codes: Uint8Array, keeps: boolean): ColumnGrids;
}

export function createPointRounding(codebook: Codebook, levels: Int8Array, rows: number): PointRounding {
  const search = createPointSearch(codebook);
  const { span } = search;
  const target = new Float64Array(span);
  const errors = new Float64Array(span);
  const chosen = new Float32Array(span * rows);
  const one = new Int8Array(16).fill(1);

  /** Σ err² of the codes that a row has. */
  function lossOf(row: number, scale: number, upper: Float64Array, codes: Uint8Array): number {
    let loss = 0;
    for (let column = 0; column < span; column += 1) {
      let left = target[column]! - scale * levels[codes[column * rows + row]!]!;
      for (let before = 0; before < column; before += 1) left -= errors[before]! * upper[before * span + column]!;
      const error = left / upper[column * span + column]!;
      errors[column] = error;
      loss += error * error;
    }
    return loss;
  }

  return {
    span,
    round(wanted, upper, scales, codes, keeps) {
      for (let row = 0; row < rows; row += 1) {
        const scale = scales[row]!;
        // of a block of zeros; all codes stand for 0
        if (scale === 0) {
          for (let column = 0; column < span; column += 1) codes[column * rows + row] = levels.length / 2;
        } else {
          for (let column = 0; column < span; column += 1) target[column] = wanted[column * rows + row]!;
          const limit = keeps ? lossOf(row, scale, upper, codes) : Infinity;
          if (search.find(target, scale, upper, limit) < limit) {
            for (let column = 0; column < span; column += 1) codes[column * rows + row] = search.codes[column]!;
          }
        }
        for (let column = 0; column < span; column += 1) {
          const index = column * rows + row;
          chosen[index] = scale * levels[codes[index]!]!;
        }
      }
      return { scales: chosen, zero: 0, maximum: 15, levels: one };
    },
  };
}
