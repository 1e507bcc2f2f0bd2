import { at } from "@mbs/contracts";
import { createNearestPoints, createNearestReference, createPointSearch } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { codebooks, pointBits, signedSizes, type Codebook } from "../src/codebooks/codebooks.ts";
import { nearestTables, pointTables } from "../src/codebooks/point-tables.ts";

let state = 7;
const uniform = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return (state + 0.5) / 2 ** 32;
};
const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());

const spanOf = ({ width, evenSigns }: Codebook): number => (evenSigns ? 8 : width);

/** The sizes that `span` columns can have together. */
function* sizesOf(codebook: Codebook): Generator<readonly number[]> {
  const { width, sizes, points } = codebook;
  const bits = pointBits(codebook);
  const unpacked = Array.from(points, (point) =>
    Array.from({ length: width }, (_, column) => at(sizes, (point >> (column * bits)) & ((1 << bits) - 1))),
  );
  for (const first of unpacked) {
    if (spanOf(codebook) === width) yield first;
    else for (const second of unpacked) yield [...first, ...second];
  }
}

/** The least Σ err² with err · U = x - q, of all points with all signs that are allowed: the plain form of both searches. */
function leastLoss(codebook: Codebook, x: Float64Array, scale: number, upper: Float64Array): number {
  const span = spanOf(codebook);
  let least = Infinity;
  const errors = new Float64Array(span);
  const descend = (sizes: readonly number[], column: number, negatives: number, loss: number): void => {
    if (loss >= least) return;
    if (column === span) {
      if (!codebook.evenSigns || negatives % 2 === 0) least = loss;
      return;
    }
    let target = at(x, column);
    for (let before = 0; before < column; before += 1) target -= at(errors, before) * at(upper, before * span + column);
    for (const sign of [1, -1]) {
      const error = (target - sign * scale * at(sizes, column)) / at(upper, column * span + column);
      errors[column] = error;
      descend(sizes, column + 1, negatives + (sign < 0 ? 1 : 0), loss + error * error);
    }
  };
  for (const sizes of sizesOf(codebook)) descend(sizes, 0, 0, 0);
  return least;
}

/** Values of which an even or odd count is negative, and a scale that is about right for them. */
const sample = (span: number): Float64Array => Float64Array.from({ length: span }, normal);

for (const [name, codebook] of Object.entries<Codebook>(codebooks)) {
  const span = spanOf(codebook);
  const top = at(codebook.sizes, codebook.sizes.length - 1);
  const levels = signedSizes(codebook);

  test(`${name}: the tree search finds the least error of all points and signs`, () => {
    const tables = pointTables(codebook);
    assert.is(tables.span, span);
    const search = createPointSearch(tables);
    for (const share of [0.5, 1, 2]) {
      const upper = new Float64Array(span * span);
      for (let row = 0; row < span; row += 1) {
        upper[row * (span + 1)] = 0.5 + uniform();
        for (let column = row + 1; column < span; column += 1) upper[row * span + column] = 0.4 * normal();
      }
      const [x, scale] = [sample(span), (2 * share) / top];
      const found = search.find(x, scale, upper, Infinity);
      const least = leastLoss(codebook, x, scale, upper);
      // sums of 8 float64 in the same order
      assert.ok(Math.abs(found - least) <= 1e-14 * least, `${found}, not ${least}`);
      const errors: number[] = [];
      let loss = 0;
      for (const [column, code] of search.codes.entries()) {
        let left = at(x, column) - scale * at(levels, code);
        for (const [before, error] of errors.entries()) left -= error * at(upper, before * span + column);
        errors.push(left / at(upper, column * (span + 1)));
        loss += at(errors, column) ** 2;
      }
      assert.ok(Math.abs(loss - least) <= 1e-12 * least, "the codes have the loss");
      assert.is(search.find(x, scale, upper, found), found, "nothing is below the least");
    }
  });

  test(`${name}: the nearest points of a sub-block are the nearest of all, by the kernel with the bits of the plain form`, () => {
    const tables = nearestTables(codebook);
    const [nearest, plain] = [createNearestPoints(tables), createNearestReference(tables)];
    const { subColumns } = codebook;
    for (const array of ["values", "weights"] as const) {
      const filled = Float32Array.from(nearest[array], () => (array === "values" ? normal() : uniform() ** 3));
      nearest[array].set(filled);
      plain[array].set(filled);
    }
    for (const [at, share] of [
      [0, 1],
      [subColumns, 0.6],
      [256 - subColumns, 1.5],
    ] as const) {
      const scale = (2 * share) / top;
      const found = nearest.find(at, scale, Infinity);
      assert.is(found, plain.find(at, scale, Infinity));
      const [codes, x, weights] = [nearest.codes, nearest.values, nearest.weights].map((all) =>
        all.subarray(at, at + subColumns),
      );
      assert.ok(codes && x && weights);
      assert.equal([...codes], [...plain.codes.subarray(at, at + subColumns)]);
      let [least, loss] = [0, 0];
      for (let first = 0; first < subColumns; first += span) {
        const upper = new Float64Array(span * span);
        for (let column = 0; column < span; column += 1) {
          upper[column * (span + 1)] = 1 / Math.sqrt(weights[first + column] ?? NaN);
        }
        least += leastLoss(codebook, Float64Array.from(x.subarray(first, first + span)), scale, upper);
      }
      for (const [column, code] of codes.entries()) {
        loss += (weights[column] ?? NaN) * ((x[column] ?? NaN) - scale * (levels[code] ?? NaN)) ** 2;
      }
      // sums of float64
      assert.ok(Math.abs(found - least) <= 1e-12 * least, `${found}, not ${least}`);
      assert.ok(Math.abs(loss - least) <= 1e-12 * least, "the codes have the loss");
      assert.is(nearest.find(at, scale, found), Infinity, "nothing is below the least");
    }
  });
}

test.run();
