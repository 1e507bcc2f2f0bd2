import type { Blas, Factor, LanguageDiagonal, SiteWeight, SolverStatistics } from "@mbs/contracts";
import { inverseFactor, permuteSymmetric } from "@mbs/numbers";

/** A made-up site: weights, and the statistics of correlated inputs of unequal size. */
export interface SampleSite {
  readonly weight: SiteWeight;
  readonly statistics: SolverStatistics;
}

export interface SampleShape {
  /** Output rows of each part. */
  readonly parts: readonly number[];
  readonly columns: number;
  readonly dead?: readonly number[];
  /** Rows whose weights are all zero. */
  readonly zeroRows?: readonly number[];
  /** Weights are negative, up to this size times the number of their row; default of both signs, up to 1. */
  readonly negative?: number;
  /** Default bf16. */
  readonly scaleDtype?: SiteWeight["scaleDtype"];
}

/** Uniform numbers in [-1, 1), always the same. */
function uniform(): () => number {
  let state = 2463534242;
  return () => {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

interface Moments {
  readonly gram: Float32Array;
  readonly crossMoment: Float32Array;
}

/** The dense model's inputs are a little larger, and hold a part of the next column. */
function makeMoments(next: () => number, columns: number, dead: readonly number[]): Moments {
  const tokens = 4 * columns;
  const sizes = Float64Array.from({ length: columns }, () => Math.exp(next()));
  const gram = new Float64Array(columns * columns);
  const cross = new Float64Array(columns * columns);
  for (let token = 0; token < tokens; token += 1) {
    const noise = sizes.map((size) => size * next());
    const x = noise.map((value, column) => (dead.includes(column) ? 0 : value + 0.7 * (noise[column - 1] ?? 0)));
    for (let i = 0; i < columns; i += 1) {
      const shift = 0.05 * x[i] + 0.1 * (x[i + 1] ?? 0);
      for (let j = 0; j < columns; j += 1) {
        gram[i * columns + j] += (x[i] * x[j]) / tokens;
        cross[i * columns + j] += (shift * x[j]) / tokens;
      }
    }
  }
  return { gram: Float32Array.from(gram), crossMoment: Float32Array.from(cross) };
}

/** Two languages that use columns differently and have this diagonal together. */
function splitDiagonal(diagonal: Float32Array): readonly LanguageDiagonal[] {
  const contrast = diagonal.map((_, column) => Math.sin(column));
  return [
    { language: "en", weight: 0.75, values: diagonal.map((square, column) => square * (1 + 0.3 * contrast[column])) },
    { language: "mr", weight: 0.25, values: diagonal.map((square, column) => square * (1 - 0.9 * contrast[column])) },
  ];
}

/** Position → column for the names of the contract. */
function orderNamed(name: string, diagonal: Float32Array): Int32Array {
  const byDiagonal = (a: number, b: number) => diagonal[b] - diagonal[a] || a - b;
  const columns = [...diagonal.keys()];
  if (name === "activation") return Int32Array.from(columns.sort(byDiagonal));
  const size = Number(/^group-aware:(\d+)$/.exec(name)?.[1] ?? 0);
  if (size === 0) return Int32Array.from(columns);
  const groups = Array.from({ length: Math.ceil(columns.length / size) }, (_, group) =>
    columns.slice(group * size, (group + 1) * size).sort(byDiagonal),
  );
  return Int32Array.from(groups.sort((a, b) => byDiagonal(a[0], b[0])).flat());
}

async function makeFactor(blas: Blas, gram: Float32Array, diagonal: Float32Array, orderName: string): Promise<Factor> {
  const columns = diagonal.length;
  const dead = [...diagonal.keys()].filter((column) => diagonal[column] === 0);
  const mean = diagonal.reduce((sum, value) => sum + value, 0) / Math.max(columns - dead.length, 1);
  const damping = 0.01;
  const damped = gram.slice();
  for (let column = 0; column < columns; column += 1) damped[column * (columns + 1)] += damping * mean;
  for (const column of dead) damped[column * (columns + 1)] = mean;
  const order = orderNamed(orderName, diagonal);
  return { order, orderName, dead, damping, upper: await inverseFactor(blas, permuteSymmetric(damped, order), columns) };
}

/** Makes a site; the same shape and order give the same site. */
export async function makeSampleSite(blas: Blas, shape: SampleShape, orderName: string): Promise<SampleSite> {
  const { parts: partRows, columns, dead = [], zeroRows = [], negative, scaleDtype = "bf16" } = shape;
  const next = uniform();
  const { gram, crossMoment } = makeMoments(next, columns, dead);
  const diagonal = Float32Array.from({ length: columns }, (_, column) => gram[column * (columns + 1)]);
  const languageDiagonals = splitDiagonal(diagonal);
  const rows = partRows.reduce((sum, count) => sum + count, 0);
  const values = Float32Array.from({ length: rows * columns }, () => next() ** 3);
  if (negative !== undefined) {
    for (const [index, value] of values.entries())
      values[index] = -Math.abs(value) * negative * (1 + Math.floor(index / columns));
  }
  for (const row of zeroRows) values.fill(0, row * columns, (row + 1) * columns);
  const parts = partRows.map((count, index) => ({
    tensor: `part-${index}`,
    firstRow: partRows.slice(0, index).reduce((sum, before) => sum + before, 0),
    rows: count,
  }));
  const factor = await makeFactor(blas, gram, diagonal, orderName);
  const weight = { rows, columns, values, parts, scalable: true, scaleDtype };
  return { weight, statistics: { factor, diagonal, gram, crossMoment, languageDiagonals } };
}
