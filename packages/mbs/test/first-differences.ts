import type { FactorRecord, LayerRecord, TensorData } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
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
  const upperOf = ({ factor }: Walked): Float32Array => {
    if (factor.upper === undefined) throw new Error("the factor holds no upper");
    return unpackUpper(factor.upper, columns, "zero");
  };
  const [upper, otherUpper] = [upperOf(walks[0]), upperOf(walks[1])];

  /** The weight at `end` once the errors of the columns before it are spread, in steps above the grid's first value. */
  const roundedAt = (row: number, end: number, upper: Float32Array): number => {
    const values = Float64Array.from(weight.subarray(row * columns, row * columns + end + 1));
    const gridOf = (column: number): number => row * groups + Math.floor(column / groupSize);
    for (let column = 0; column < end; column += 1) {
      const grid = gridOf(column);
      const settled = (at(codes, row * columns + column) - at(zeros, grid)) * at(scales, grid);
      const error = (at(values, column) - settled) / at(upper, column * (columns + 1));
      for (let later = column + 1; later <= end; later += 1) {
        values[later] = at(values, later) - error * at(upper, column * columns + later);
      }
    }
    return at(values, end) / at(scales, gridOf(end)) + at(zeros, gridOf(end));
  };

  return Array.from({ length: rows }, (_, row) => row).flatMap((row) => {
    const rowOf = (all: Uint8Array): Uint8Array => all.subarray(row * columns, (row + 1) * columns);
    const [mine, other] = [rowOf(codes), rowOf(others)];
    const column = mine.findIndex((code, index) => code !== other[index]);
    if (column < 0) return [];
    const values = [roundedAt(row, column, upper), roundedAt(row, column, otherUpper)] as const;
    return [{ row, column, codes: [at(mine, column), at(other, column)] as const, values }];
  });
}
