import { at } from "@mbs/contracts";
import type { ArchitectureModel, ResidualStream } from "@mbs/models";

type EmbeddingNorm = NonNullable<ResidualStream["embeddingNorm"]>;

/**
 * A layer norm of embedded tokens that a rotation keeps: its weight would mix channels, so what it made of each token is written
 * into the embedding, and the norm, with one weight c for all channels and no bias, gives it back.
 *
 * A layer norm makes of a row of mean 0 and variance v the row times c/√(v + ε). So a wanted row t of mean 0 and mean square
 * τ < c² is stored as t·√(ε/(c² - τ)). The mean of t is left out: every other norm of the model subtracts it anyway.
 */
export interface FoldedEmbeddingNorm {
  /** c, at least √2 times the root of any row's mean square. */
  readonly weight: number;
  /** Rows of the embedding → what the norm makes of them, less their mean; [rows, hidden], in place. */
  wanted(rows: Float32Array): void;
  /** Wanted rows, rotated or not → what is stored; in place. */
  stored(rows: Float32Array): void;
}

function mean(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function meanSquare(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum / values.length;
}

/** Takes the mean out of a row, in float64. */
function centre(row: Float32Array | Float64Array): Float64Array {
  const middle = mean(row);
  return Float64Array.from(row, (value) => value - middle);
}

export async function foldEmbeddingNorm(
  { readWeight }: ArchitectureModel,
  { weight: weightName, bias: biasName, epsilon }: EmbeddingNorm,
): Promise<FoldedEmbeddingNorm> {
  const [scales, bias] = [await readWeight(weightName), await readWeight(biasName)];
  const hidden = scales.length;
  // no row is larger than the largest weight times a normed row, whose mean square is at most 1, and the bias
  const bound = scales.reduce((most, scale) => Math.max(most, Math.abs(scale)), 0) + Math.sqrt(meanSquare(bias));
  const weight = Math.fround(Math.SQRT2 * bound);
  const eachRow = (rows: Float32Array, change: (row: Float32Array) => ArrayLike<number>): void => {
    for (let begin = 0; begin < rows.length; begin += hidden) rows.set(change(rows.subarray(begin, begin + hidden)), begin);
  };
  return {
    weight,
    wanted: (rows) =>
      eachRow(rows, (row) => {
        const centred = centre(row);
        const factor = 1 / Math.sqrt(meanSquare(centred) + epsilon);
        return centre(centred.map((value, column) => value * factor * at(scales, column) + at(bias, column)));
      }),
    stored: (rows) =>
      eachRow(rows, (row) => {
        const factor = Math.sqrt(epsilon / (weight * weight - meanSquare(row)));
        return row.map((value) => value * factor);
      }),
  };
}
