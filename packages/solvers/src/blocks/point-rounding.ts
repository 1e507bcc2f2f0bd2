import { at, UsageError, type Factor } from "@mbs/contracts";
import type { BlockEncoder, Codebook } from "@mbs/gguf";
import type { BlockRule, BlockScales, ColumnGrids } from "@mbs/numbers";

/** The largest half-precision number, which takes the place of larger ones. */
const mostHalf = 65_504;

/**
 * Scales of blocks of a codebook type, one block a row, as its encoder chooses them.
 *
 * @returns a function of Wᵀ of a block, [rule.columns, rows], and of its columns' importances
 */
export function createPointFitter(
  encoder: BlockEncoder,
  { unit }: Codebook,
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
      made.scales[own] = Math.min(blocks.scales[0]!, mostHalf * unit);
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

const one = new Int8Array(16).fill(1);

/** Grids on which each column of each row has one value alone. @param values [columns, rows] */
export const chosenValues = (values: Float32Array): ColumnGrids => ({ scales: values, zero: 0, maximum: 15, levels: one });
