import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import type { seededGenerator } from "../statistics/seeded-generator.ts";
import { hadamard } from "./hadamard.ts";

type Random = ReturnType<typeof seededGenerator>;

/** Resolution of uniform numbers. */
const steps = 2 ** 30;

/** In (-1, 1), symmetric. */
const uniform = (random: Random): number => (uniformInt(random, 0, steps - 1) + 0.5) / (steps / 2) - 1;

/** A number of the normal distribution. @see G. Marsaglia, T. A. Bray, A Convenient Method for Generating Normal Variables (1964) */
function normal(random: Random): number {
  for (;;) {
    const [x, y] = [uniform(random), uniform(random)];
    const square = x * x + y * y;
    if (square < 1 && square > 0) return x * Math.sqrt((-2 * Math.log(square)) / square);
  }
}

/** Takes the part along unit row `other` out of row `row`. */
function removePart(values: Float64Array, size: number, row: number, other: number): void {
  const [own, base] = [row * size, other * size];
  let dot = 0;
  for (let column = 0; column < size; column += 1) dot += at(values, own + column) * at(values, base + column);
  for (let column = 0; column < size; column += 1) {
    values[own + column] = at(values, own + column) - dot * at(values, base + column);
  }
}

function normaliseRow(values: Float64Array, size: number, row: number): void {
  const own = values.subarray(row * size, (row + 1) * size);
  const length = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0));
  for (let column = 0; column < size; column += 1) own[column] = at(own, column) / length;
}

/**
 * A random orthogonal matrix, uniform over all: normal rows, made orthogonal one after the other, twice each so that rounding
 * stays at that of float64. size³ multiplications.
 *
 * @returns [size, size]
 */
export function randomOrthogonal(size: number, random: Random): Matrix<Float64Array> {
  const values = Float64Array.from({ length: size * size }, () => normal(random));
  for (let row = 0; row < size; row += 1) {
    for (let pass = 0; pass < 2; pass += 1) for (let other = 0; other < row; other += 1) removePart(values, size, row, other);
    normaliseRow(values, size, row);
  }
  return { rows: size, columns: size, values };
}

/**
 * A Hadamard matrix with random signs of its rows and columns, divided by √size: diag(±1)·H·diag(±1)/√size. Every entry is
 * ±1/√size, so that a large channel is spread evenly over all. Signs of columns change no size; with them no row is constant,
 * which `keepingMean` would have to change most.
 *
 * @returns [size, size], orthogonal; undefined where no Hadamard matrix of this order is known here
 * @see arXiv:2404.00456 §3
 */
export function randomHadamard(size: number, random: Random): Matrix<Float64Array> | undefined {
  const matrix = hadamard(size);
  if (matrix === undefined) return undefined;
  const signs = (scale: number): Float64Array =>
    Float64Array.from({ length: size }, () => (uniformInt(random, 0, 1) === 0 ? scale : -scale));
  const [rows, columns] = [signs(1 / Math.sqrt(size)), signs(1)];
  const values = Float64Array.from(
    matrix,
    (entry, index) => entry * at(rows, Math.floor(index / size)) * at(columns, index % size),
  );
  return { rows: size, columns: size, values };
}

/**
 * An orthogonal matrix R changed to Q with Q·1 = Qᵀ·1 = 1, so that Qᵀx has the mean of x and a norm that subtracts the mean
 * commutes with it: R times the reflection that takes Rᵀ·1 to 1.
 *
 * @returns [size, size]; entries of a Hadamard rotation change by about 1/size
 */
export function keepingMean({ rows: size, values }: Matrix<Float64Array>): Matrix<Float64Array> {
  const unit = 1 / Math.sqrt(size);
  // u = Rᵀe - e, of e = 1/√size; R·u = e - R·e
  const difference = new Float64Array(size).fill(-unit);
  const image = new Float64Array(size).fill(unit);
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      const part = at(values, row * size + column) * unit;
      difference[column] = at(difference, column) + part;
      image[row] = at(image, row) - part;
    }
  }
  const square = difference.reduce((sum, value) => sum + value * value, 0);
  // below, R keeps the mean already, up to rounding
  if (square < 1e-24) return { rows: size, columns: size, values: values.slice() };
  return {
    rows: size,
    columns: size,
    values: values.map((value, index) => {
      const [row, column] = [Math.floor(index / size), index % size];
      return value - (2 * at(image, row) * at(difference, column)) / square;
    }),
  };
}
