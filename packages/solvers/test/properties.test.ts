import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, parseOptions, type Factor, type LanguageDiagonal, type Solution, type SolverContext } from "@mbs/contracts";
import { plainBlas } from "../src/conformance/plain-blas.ts";
import { makeSampleSite } from "../src/conformance/sample-site.ts";
import { createGridFitter, transposeInOrder } from "@mbs/numbers";
import { descendCodes } from "../src/feedback/coordinate-descent.ts";
import { sweptGroups } from "../src/feedback/group-sweeps.ts";
import { propagateError } from "../src/feedback/error-propagation.ts";
import { askedGrid, loadSolver, outputByRow, solverOptions, withGrid } from "../src/index.ts";

const context: SolverContext = { blas: plainBlas, signal: new AbortController().signal, warn: () => {} };
const rows = 9;
const columns = 60;

const values = Float32Array.from({ length: rows * columns }, (_, index) => Math.fround(Math.sin(index * 1.3) ** 3));
const diagonal = Float32Array.from({ length: columns }, (_, column) => 1 + ((column * 37) % 11));

/** H = diag(diagonal), undamped: no column can compensate for another. */
function diagonalFactor(orderName: string, order: Int32Array): Factor {
  const upper = new Float32Array(columns * columns);
  for (const [position, column] of order.entries()) upper[position * (columns + 1)] = 1 / Math.sqrt(at(diagonal, column));
  return { order, orderName, upper, dead: [], damping: 0 };
}

const natural = Int32Array.from({ length: columns }, (_, column) => column);
const descending = natural.slice().sort((a, b) => at(diagonal, b) - at(diagonal, a) || a - b);
/** Groups of 20, last first, reversed within. */
const grouped = natural.map((position) => (2 - Math.floor(position / 20)) * 20 + (19 - (position % 20)));

/** Of two languages, each with half of the columns to itself. */
const halves: readonly LanguageDiagonal[] = ["en", "mr"].map((language, half) => ({
  language,
  weight: 0.5,
  values: diagonal.map((value, column) => (column % 2 === half ? 2 * value : 0)),
}));

async function solve(
  name: string,
  options: Readonly<Record<string, unknown>>,
  factor: Factor,
  languageDiagonals: readonly LanguageDiagonal[] = halves,
): Promise<Solution> {
  const solver = await loadSolver(name);
  const weight = { rows, columns, values: values.slice(), parts: [{ tensor: "w", firstRow: 0, rows }] };
  const [gram, crossMoment] = [new Float32Array(columns * columns), new Float32Array(columns * columns)];
  const statistics = { factor, diagonal, gram, crossMoment, languageDiagonals };
  const parsed = parseOptions(solverOptions(solver), options, name);
  return solver.solve(withGrid(askedGrid(solver, parsed), weight), statistics, parsed, context);
}

test("where inputs are uncorrelated, gptq rounds to nearest, in any order and by the same groups", async () => {
  const shared = { bits: 3, groupSize: 20, symmetric: false, search: "none" };
  const nearest = await solve("rtn", shared, diagonalFactor("natural", natural));
  for (const [factor, options] of [
    [diagonalFactor("natural", natural), {}],
    [diagonalFactor("natural", natural), { gridRule: "updated", blockSize: 7 }],
    [diagonalFactor("activation", descending), { staticGroups: true }],
    [diagonalFactor("group-aware:20", grouped), {}],
  ] as const) {
    const { quantised, values: found } = await solve("gptq", { ...shared, sweeps: 0, ...options }, factor);
    assert.equal(quantised, nearest.quantised, factor.orderName);
    assert.equal(found, nearest.values);
  }
});

test("a search by the Hessian changes outputs less than an unweighted one, however grids are fitted", async () => {
  const solver = await loadSolver("gptq");
  const order = "group-aware:32";
  for (const options of [{}, { gridRule: "updated" }, { staticGroups: true }, { groupSize: 0 }]) {
    const orderName = "groupSize" in options ? "activation" : order;
    const { weight, statistics } = await makeSampleSite(plainBlas, { parts: [64], columns: 256, dead: [4] }, orderName);
    const errorBy = async (search: string): Promise<number> => {
      const raw = { bits: 3, groupSize: 32, symmetric: false, search, ...options };
      const parsed = parseOptions(solverOptions(solver), raw, "gptq");
      const own = withGrid(askedGrid(solver, parsed), { ...weight, values: weight.values.slice() });
      const solution = await solver.solve(own, statistics, parsed, context);
      const change = solution.values.map((value, index) => value - at(weight.values, index));
      const errors = await outputByRow(plainBlas, change, 64, { gram: statistics.gram });
      return errors.reduce((total, value) => total + value, 0);
    };
    const [none, error, hessian] = [await errorBy("none"), await errorBy("error"), await errorBy("hessian")];
    assert.ok(hessian < error && hessian < none, `${JSON.stringify(options)}: ${none}, ${error}, ${hessian}`);
  }
});

test("each sweep of coordinate descent changes outputs less, and codes, scales and values agree", async () => {
  const solver = await loadSolver("gptq");
  for (const [orderName, options] of [
    ["group-aware:32", { groupSize: 32 }],
    ["natural", { groupSize: 50, blockSize: 37 }],
    ["activation", { groupSize: 0, symmetric: true }],
  ] as const) {
    // rows that fill no strip of the kernel, and a last block of its own size
    const { weight, statistics } = await makeSampleSite(plainBlas, { parts: [30, 17], columns: 150, dead: [4] }, orderName);
    const errors: number[] = [];
    for (const sweeps of [0, 1, 2, 4]) {
      const parsed = parseOptions(solverOptions(solver), { bits: 3, search: "hessian", ...options, sweeps }, "gptq");
      const own = withGrid(askedGrid(solver, parsed), { ...weight, values: weight.values.slice() });
      const solution = await solver.solve(own, statistics, parsed, context);
      const change = solution.values.map((value, index) => value - at(weight.values, index));
      const byRow = await outputByRow(plainBlas, change, 47, { gram: statistics.gram });
      errors.push(byRow.reduce((total, value) => total + value, 0));
      const { quantised } = solution;
      assert.ok(quantised);
      const { codes, scales, zeros, groupOf } = quantised;
      const groups = scales.length / 47;
      for (const [index, value] of solution.values.entries()) {
        const cell = Math.floor(index / 150) * groups + at(groupOf, index % 150);
        assert.is(value, Math.fround((at(codes, index) - at(zeros, cell)) * at(scales, cell)));
      }
    }
    const shares = errors.map((error) => error / at(errors, 0));
    assert.ok(
      at(shares, 1) < 0.97 && at(shares, 2) < at(shares, 1) && at(shares, 3) <= at(shares, 2),
      `${orderName}: ${shares.join(", ")}`,
    );
  }
});

test("weights are corrected towards the dense model's outputs, at best with all of the difference", async () => {
  const [size, count] = [60, 11];
  for (const orderName of ["natural", "activation"]) {
    const { weight, statistics } = await makeSampleSite(plainBlas, { parts: [count], columns: size }, orderName);
    const { gram, crossMoment, factor } = statistics;
    // E‖W·x̃ - V·x‖² but for what does not depend on V: tr(D·H·Dᵀ) - 2·tr(W·C·Dᵀ) with D = V - W
    const distanceOf = async (alpha: number): Promise<number> => {
      const found = await propagateError(plainBlas, weight, { crossMoment, factor }, alpha);
      let distance = 0;
      for (let row = 0; row < count; row += 1) {
        const change = Array.from({ length: size }, (_, k) => at(found, row * size + k) - at(weight.values, row * size + k));
        for (const [i, own] of change.entries()) {
          for (const [j, other] of change.entries()) distance += own * at(gram, i * size + j) * other;
          for (let k = 0; k < size; k += 1)
            distance -= 2 * at(weight.values, row * size + k) * at(crossMoment, k * size + i) * own;
        }
      }
      return distance;
    };
    const distances = await Promise.all([0, 0.5, 0.9, 1, 1.2].map(distanceOf));
    assert.is(distances[0], 0);
    assert.ok(at(distances, 1) < 0 && at(distances, 2) < at(distances, 1), distances.join(", "));
    // damping alone moves the best share away from 1
    assert.ok(at(distances, 3) < at(distances, 1) && at(distances, 3) < at(distances, 4), distances.join(", "));
  }
});

test("a sweep gives the codes of a plain descent, scales first, then one code after the other", async () => {
  const [size, count] = [40, 33];
  const { weight, statistics } = await makeSampleSite(plainBlas, { parts: [count], columns: size }, "natural");
  const target = transposeInOrder(
    weight.values,
    count,
    size,
    Int32Array.from({ length: size }, (_, column) => column),
  );
  const grid = createGridFitter(size, count, {
    grid: { kind: "groups", bits: 2, groupSize: 0, zeroPoints: "any" },
    search: "none",
    scaleDtype: "f32",
  })(target);
  const begunCodes = Uint8Array.from(target, (value, index) => {
    const row = index % count;
    return Math.min(Math.max(Math.round((1.3 * value) / at(grid.scales, row)) + at(grid.zeros, row), 0), 3);
  });
  const valuesOf = (codes: Uint8Array, scales: Float32Array) =>
    Float32Array.from(codes, (code, index) => (code - at(grid.zeros, index % count)) * at(scales, index % count));
  const begun = valuesOf(begunCodes, grid.scales);
  const hessian = statistics.gram;
  /** The plain descent, with scales refitted or not: a group that does not lie in one block keeps its own. */
  const descend = (isRefitted: boolean) => {
    const scales = grid.scales.slice();
    // q·H·(q - w)ᵀ and q·H·qᵀ: a scale s becomes s·(1 - first/second)
    for (let row = 0; row < (isRefitted ? count : 0); row += 1) {
      let [slope, curvature] = [0, 0];
      for (let i = 0; i < size; i += 1) {
        for (let j = 0; j < size; j += 1) {
          const [own, other] = [at(begun, i * count + row), at(begun, j * count + row)];
          slope += own * at(hessian, i * size + j) * (other - at(target, j * count + row));
          curvature += own * at(hessian, i * size + j) * other;
        }
      }
      scales[row] = at(scales, row) * (1 - slope / curvature);
    }
    const plain = valuesOf(begunCodes, scales);
    for (let column = 0; column < size; column += 1) {
      for (let row = 0; row < count; row += 1) {
        let gradient = 0;
        for (let other = 0; other < size; other += 1) {
          const index = other * count + row;
          gradient += (at(plain, index) - at(target, index)) * at(hessian, other * size + column);
        }
        const best = at(plain, column * count + row) - gradient / at(hessian, column * (size + 1));
        const code = Math.round(best / at(scales, row)) + at(grid.zeros, row);
        plain[column * count + row] = (Math.min(Math.max(code, 0), 3) - at(grid.zeros, row)) * at(scales, row);
      }
    }
    return { plain, scales };
  };
  const groupAt = new Int32Array(size);
  for (const blockSize of [size, 16]) {
    const [found, codes, grids] = [begun.slice(), begunCodes.slice(), [grid]];
    const swept = sweptGroups(plainBlas, { codes, hessian, grids, groupAt, scaleDtype: "f32" });
    const descent = { target, values: found, hessian, grids: swept, sweeps: 1, blockSize };
    await descendCodes(plainBlas, descent, context.signal);
    const { plain, scales } = descend(blockSize === size);
    assert.ok(at(grids, 0).scales.every((scale, row) => Math.abs(scale / at(scales, row) - 1) < 1e-5));
    // float32 decides codes that lie halfway, and codes behind them
    const equal = found.filter((value, index) => Math.abs(value - at(plain, index)) < 1e-4 * at(scales, index % count)).length;
    assert.ok(equal > 0.98 * found.length, `${equal} of ${found.length}`);
  }
});

for (const order of ["natural", "activation", "group-aware:32"]) {
  test(`gptaq is gptq to the bit where the dense model's inputs are the same, and with alpha 0: ${order}`, async () => {
    const { weight, statistics } = await makeSampleSite(plainBlas, { parts: [10, 14], columns: 150, dead: [4] }, order);
    const by = async (name: string, raw: object, crossMoment: Float32Array): Promise<Solution> => {
      const solver = await loadSolver(name);
      const parsed = parseOptions(
        solverOptions(solver),
        { bits: 3, groupSize: 32, blockSize: 64, ...(name === "gptq" && { sweeps: 0 }), ...raw },
        name,
      );
      const own = withGrid(askedGrid(solver, parsed), { ...weight, values: weight.values.slice() });
      return solver.solve(own, { ...statistics, crossMoment }, parsed, context);
    };
    const none = new Float32Array(statistics.gram.length);
    const symmetric = await by("gptq", {}, none);
    assert.equal(await by("gptaq", { alpha: 1 }, none), symmetric);
    assert.equal(await by("gptaq", { alpha: 0 }, statistics.crossMoment), symmetric);
    assert.not.equal((await by("gptaq", {}, statistics.crossMoment)).values, symmetric.values);
  });
}

test("with the activation order, groups follow the order of processing", async () => {
  const { quantised } = await solve("gptq", { groupSize: 20 }, diagonalFactor("activation", descending));
  assert.ok(quantised);
  for (const [position, column] of descending.entries()) assert.is(quantised.groupOf[column], Math.floor(position / 20));
});

test("where inputs are uncorrelated, sparsegpt picks what wanda picks by pattern and changes nothing else", async () => {
  const pruned = await solve("sparsegpt", { pattern: "2:4" }, diagonalFactor("natural", natural));
  const compared = await solve("wanda", { pattern: "2:4" }, diagonalFactor("natural", natural));
  assert.equal(pruned.mask, compared.mask);
  assert.equal(pruned.values, compared.values);
});

test("m-wanda is wanda where there is one language, where all are alike, and without the variance", async () => {
  const factor = diagonalFactor("natural", natural);
  const english = { language: "en", weight: 1, values: diagonal };
  const expected = await solve("wanda", { sparsity: 0.6 }, factor);
  for (const [options, languages] of [
    [{}, [english]],
    [{}, ["en", "mr", "ta"].map((language) => ({ ...english, language, weight: 1 / 3 }))],
    [{ variance: 0 }, halves],
  ] as const) {
    const { mask } = await solve("m-wanda", { sparsity: 0.6, ...options }, factor, languages);
    assert.equal(mask, expected.mask);
  }
});

test("m-wanda spares columns that languages use differently, and the more so the more the variance weighs", async () => {
  const factor = diagonalFactor("natural", natural);
  const contrast = halves.map(({ values, ...language }) => ({
    ...language,
    values: values.map((value, column) => (column < columns / 2 ? value : at(diagonal, column))),
  }));
  const keptOf = async (variance: number) => {
    const { mask } = await solve("m-wanda", { variance }, factor, contrast);
    assert.ok(mask);
    return mask.filter((_, index) => index % columns < columns / 2).reduce((sum, kept) => sum + kept, 0);
  };
  const [none, one, ten] = [await keptOf(0), await keptOf(1), await keptOf(10)];
  assert.ok(none < one && one < ten, `${none}, ${one}, ${ten}`);
});

test("m-wanda chooses the same whatever the unit of the inputs", async () => {
  const factor = diagonalFactor("natural", natural);
  const solver = await loadSolver("m-wanda");
  const maskAt = async (unit: number) => {
    const scaled = (squares: Float32Array) => squares.map((value) => value * unit ** 2);
    const languageDiagonals = halves.map(({ values: squares, ...language }) => ({ ...language, values: scaled(squares) }));
    const weight = { rows, columns, values: values.slice(), parts: [{ tensor: "w", firstRow: 0, rows }] };
    const statistics = { factor, diagonal: scaled(diagonal), gram: diagonal, crossMoment: diagonal, languageDiagonals };
    const parsed = parseOptions(solverOptions(solver), {}, "m-wanda");
    return (await solver.solve(withGrid(askedGrid(solver, parsed), weight), statistics, parsed, context)).mask;
  };
  assert.equal(await maskAt(2 ** 10), await maskAt(2 ** -10));
});

test("sparsegpt and magnitude take the threshold's ties with them, wanda drops exactly so many a row", async () => {
  const kept = ({ mask }: Solution, row: number) => mask?.subarray(row * columns, (row + 1) * columns).reduce((a, b) => a + b, 0);
  const solution = await solve("wanda", { sparsity: 0.35 }, diagonalFactor("natural", natural));
  for (let row = 0; row < rows; row += 1) assert.is(kept(solution, row), columns - 21);
  const { mask } = await solve("magnitude", { sparsity: 0.35 }, diagonalFactor("natural", natural));
  assert.is(mask?.filter((bit) => bit === 0).length, Math.trunc(rows * columns * 0.35) + 1);
});

test("groups of another size than the order's are refused with the remedy", async () => {
  const solving = solve("gptq", { groupSize: 10 }, diagonalFactor("group-aware:20", grouped));
  const error = await solving.catch((caught: Error) => caught);
  assert.match((error as Error).message, /group-aware:20, which splits groups of 10; factor with --order group-aware:10/);
});

test("a pattern and a sparsity exclude each other, a default sparsity does not count", async () => {
  for (const name of ["sparsegpt", "wanda", "m-wanda", "magnitude"]) {
    const { options } = await loadSolver(name);
    assert.is(parseOptions(options, { pattern: "2:4" }, name)["sparsity"], undefined);
    assert.is(parseOptions(options, {}, name)["sparsity"], 0.5);
    assert.throws(
      () => parseOptions(options, { pattern: "2:4", sparsity: 0.5 }, name),
      /--pattern and --sparsity exclude each other/,
    );
  }
});

test.run();
