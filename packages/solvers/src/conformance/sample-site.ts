import type { Blas, Factor, LanguageDiagonal, SiteWeight, SolverStatistics } from "@mbs/contracts";
import { damp, findDead, inverseFactor, parseOrder, permuteSymmetric } from "@mbs/numbers";

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
      const shift = 0.05 * x[i]! + 0.1 * (x[i + 1] ?? 0);
      for (let j = 0; j < columns; j += 1) {
        gram[i * columns + j]! += (x[i]! * x[j]!) / tokens;
        cross[i * columns + j]! += (shift * x[j]!) / tokens;
      }
    }
  }
  return { gram: Float32Array.from(gram), crossMoment: Float32Array.from(cross) };
}

/** Two languages that use columns differently and have this diagonal together. */
function splitDiagonal(diagonal: Float32Array): readonly LanguageDiagonal[] {
  const contrast = diagonal.map((_, column) => Math.sin(column));
  return [
    { language: "en", weight: 0.75, values: diagonal.map((square, column) => square * (1 + 0.3 * contrast[column]!)) },
    { language: "mr", weight: 0.25, values: diagonal.map((square, column) => square * (1 - 0.9 * contrast[column]!)) },
  ];
}

async function makeFactor(blas: Blas, gram: Float32Array, diagonal: Float32Array, orderName: string): Promise<Factor> {
  const columns = diagonal.length;
  const damping = 0.01;
  const living = findDead(diagonal);
  const damped = gram.slice();
  damp(damped, columns, living, damping);
  const order = parseOrder(orderName).arrange(diagonal);
  const upper = await inverseFactor(blas, permuteSymmetric(damped, order), columns);
  return { order, orderName, dead: living.dead, damping, upper };
}

/** Makes a site whose parts are rounded to nothing; the same shape and order give the same site. */
export async function makeSampleSite(blas: Blas, shape: SampleShape, orderName: string): Promise<SampleSite> {
  const { parts: partRows, columns, dead = [], zeroRows = [], negative, scaleDtype = "bf16" } = shape;
  const next = uniform();
  const { gram, crossMoment } = makeMoments(next, columns, dead);
  const diagonal = Float32Array.from({ length: columns }, (_, column) => gram[column * (columns + 1)]!);
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
    grid: { kind: "none" } as const,
  }));
  const factor = await makeFactor(blas, gram, diagonal, orderName);
  const weight = { rows, columns, values, parts, scalable: true, scaleDtype };
  return { weight, statistics: { factor, diagonal, gram, crossMoment, languageDiagonals } };
}
