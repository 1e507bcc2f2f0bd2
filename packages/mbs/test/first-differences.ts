import type { FactorRecord, LayerRecord, TensorData } from "@mbs/artifacts";
import { decodeWeights, unpackUpper } from "@mbs/numbers";

/** A weight's GPTQ, with grids that are fitted beforehand and columns in natural order. */
export interface Walked {
  readonly factor: FactorRecord;
  readonly layer: LayerRecord;
}

/** The first column of a row to which two walks gave different codes. Values count in steps of the row's grid. */
export interface FirstDifference {
  readonly row: number;
  readonly column: number;
  readonly codes: readonly [number, number];
  /** What was rounded there, in float64, with either factor and the errors that both have in common. */
  readonly values: readonly [number, number];
}

const part = (data: TensorData | undefined): TensorData => {
  if (data === undefined) throw new Error("the layer holds no codes");
  return data;
};

/**
 * Where the codes of two walks over one weight begin to differ, row by row. Later differences of a row follow from the
 * first: its error is spread over all columns behind it. Rows know nothing of each other.
 *
 * @param weight the weight before compression, [rows, columns]
 */
export function firstDifferences(weight: Float32Array, walks: readonly [Walked, Walked]): FirstDifference[] {
  const [{ layer }] = walks;
  const { rows, columns } = layer.values;
  const [codes, others] = [part(walks[0].layer.codes).data, part(walks[1].layer.codes).data];
  const groups = part(layer.scales).columns;
  const scales = decodeWeights("f32", part(layer.scales).data, "scales");
  const zeros = part(layer.zeros).data;
  const groupSize = columns / groups;
  const uppers = walks.map(({ factor }) => unpackUpper(factor.upper ?? new Float32Array(0), columns, "zero"));

  /** The weight at `end` once the errors of the columns before it are spread, in steps above the grid's first value. */
  const roundedAt = (row: number, end: number, upper: Float32Array): number => {
    const values = Float64Array.from(weight.subarray(row * columns, row * columns + end + 1));
    const gridOf = (column: number): number => row * groups + Math.floor(column / groupSize);
    for (let column = 0; column < end; column += 1) {
      const grid = gridOf(column);
      const settled = (codes[row * columns + column] - zeros[grid]) * scales[grid];
      const error = (values[column] - settled) / upper[column * (columns + 1)];
      for (let later = column + 1; later <= end; later += 1) values[later] -= error * upper[column * columns + later];
    }
    return values[end] / scales[gridOf(end)] + zeros[gridOf(end)];
  };

  return Array.from({ length: rows }, (_, row) => row).flatMap((row) => {
    const [mine, other] = [codes, others].map((all) => all.subarray(row * columns, (row + 1) * columns));
    const column = mine.findIndex((code, at) => code !== other[at]);
    if (column < 0) return [];
    const values = [roundedAt(row, column, uppers[0]), roundedAt(row, column, uppers[1])] as const;
    return [{ row, column, codes: [mine[column], other[column]] as const, values }];
  });
}
