import { at } from "@mbs/contracts";
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { packedRowStart, unpackUpper } from "@mbs/numbers";

/** E[x xᵀ] of a site, packed upper half. */
export interface Gram {
  readonly width: number;
  readonly values: Float64Array;
}

/** H = Σ wₗ·Eₗ / Σ wₗ. */
export function mixGrams(grams: ReadonlyMap<string, Gram>, weights: ReadonlyMap<string, number>): Gram {
  const { width, values: first } = at([...grams.values()], 0);
  const values = new Float64Array(first.length);
  let sum = 0;
  for (const [language, weight] of weights) {
    const gram = grams.get(language);
    if (gram === undefined) throw new Error(`no Gram of ${language}`);
    sum += weight;
    gram.values.forEach((value, index) => (values[index] = at(values, index) + weight * value));
  }
  return { width, values: values.map((value) => value / sum) };
}

/** ‖first - second‖ / ‖second‖ in Frobenius' norm. Off the diagonal, every packed value stands for two. */
export function relativeFrobenius(first: Gram, second: Gram): number {
  const { width } = second;
  let difference = 0;
  let norm = 0;
  for (let row = 0; row < width; row += 1) {
    const start = packedRowStart(width, row);
    for (let column = row; column < width; column += 1) {
      const place = start + column - row;
      const times = column === row ? 1 : 2;
      difference += times * (at(first.values, place) - at(second.values, place)) ** 2;
      norm += times * at(second.values, place) ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}

/** Logarithms of the eigenvalues of H + damping · mean(diag H) · I, ascending. */
export function logSpectrum({ width, values }: Gram, damping = 0.01): number[] {
  const whole = unpackUpper(Float32Array.from(values), width, "mirror");
  const rows = Array.from({ length: width }, (_, row) => Array.from(whole.subarray(row * width, (row + 1) * width)));
  const matrix = new Matrix(rows);
  const extra = damping * (matrix.trace() / width);
  const { realEigenvalues } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  return realEigenvalues.map((value) => Math.log(value + extra)).sort((a, b) => a - b);
}

/** Root mean square distance of two logarithmic spectra. */
export const logSpectralDistance = (first: readonly number[], second: readonly number[]): number =>
  Math.sqrt(first.reduce((sum, value, index) => sum + (value - at(second, index)) ** 2, 0) / first.length);
