import { at, parseOptions, UsageError, type Factor, type SolverContext, type StageOptions } from "@mbs/contracts";
import { blockGrids, quantisationTypeNamed, encodeValues } from "@mbs/gguf";
import {
  columnCodeOf,
  columnValueOf,
  createSubBlockRefitter,
  fitBlocksReference,
  naturalOrder,
  restoreOrder,
  transposeInOrder,
} from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fixBlocks } from "../src/blocks/block-feedback.ts";
import { BlockWeight } from "../src/blocks/block-weight.ts";
import { plainBlas } from "../src/conformance/plain-blas.ts";
import { makeSampleSite } from "../src/conformance/sample-site.ts";
import { askedGrid, factorOptionsFor, loadSolver, outputByRow, plannedCodesOf, solverOptions } from "../src/index.ts";

const context: SolverContext = { blas: plainBlas, signal: new AbortController().signal, warn: () => {} };
const rows = 5;
const columns = 512;
const natural = naturalOrder(columns);

/** Weights with a few large ones, the same in every run. */
const values = Float32Array.from({ length: rows * columns }, (_, index) => Math.fround(Math.sin(index * 1.7) ** 5 / 8));
const diagonal = Float32Array.from({ length: columns }, (_, column) => 1 + ((column * 37) % 11));

/** W rounded to nearest on the grids that are fitted to it. */
function nearest(type: string, importances: Float32Array): Float32Array {
  const grid = blockGrids.get(type);
  assert.ok(grid);
  const size = grid.rule.columns;
  const transposed = transposeInOrder(values, rows, columns, natural);
  const made = new BlockWeight(grid, rows, columns);
  for (let first = 0; first < columns; first += size) {
    const panel = transposed.subarray(first * rows, (first + size) * rows);
    made.scales.push(fitBlocksReference(panel, rows, grid.rule, importances.subarray(first, first + size)));
  }
  const grids = made.gridsOf(natural);
  const rounded = transposed.map((value, index) => columnValueOf(columnCodeOf(value, grids, index), grids, index));
  return restoreOrder(rounded, rows, columns, natural);
}

const squaredError = (rounded: Float32Array): number =>
  rounded.reduce((sum, value, index) => sum + (value - at(values, index)) ** 2, 0);

const decoded = (type: string, blocks: Uint8Array, length: number): Float32Array => {
  const found = new Float32Array(length);
  quantisationTypeNamed(type).decode?.(blocks, found);
  return found;
};

for (const [type, { codebook }] of blockGrids) {
  // see point-blocks.test.ts
  if (codebook) continue;
  test(`${type}: grids fitted to equal importances err less than what rtn rounds to, as ggml does`, () => {
    const ggml = decoded(type, encodeValues(quantisationTypeNamed(type), values), values.length);
    const fitted = squaredError(nearest(type, new Float32Array(columns).fill(1)));
    // of NVFP4 rtn chooses the same
    if (type === "NVFP4") assert.is(fitted, squaredError(ggml));
    else assert.ok(fitted < squaredError(ggml));
  });

  test(`${type}: where inputs are uncorrelated, columns are rounded to nearest, and the bytes decode to the values`, async () => {
    const upper = new Float32Array(columns * columns);
    for (const column of natural) upper[column * (columns + 1)] = 1 / Math.sqrt(at(diagonal, column));
    const factor: Factor = { order: natural, orderName: "natural", upper, dead: [], damping: 0 };
    const weight = { rows, columns, values: values.slice(), parts: [] };
    const solution = await fixBlocks(weight, factor, { type, blockSize: 128 }, context);
    const importances = natural.reduce(
      (all, column) => all.fill(1 / at(upper, column * (columns + 1)) ** 2, column, column + 1),
      new Float32Array(columns),
    );
    assert.equal(solution.values, nearest(type, importances));
    assert.ok(solution.blocks);
    assert.equal(decoded(type, solution.blocks, values.length), solution.values);
  });
}

for (const type of ["Q2_K", "Q3_K", "Q5_1", "IQ4_XS", "NVFP4"]) {
  test(`${type}: scales refitted in a sweep lose no more than any others near them, by the whole Hessian`, async () => {
    const { statistics } = await makeSampleSite(plainBlas, { parts: [rows], columns: 256 }, "natural");
    const grid = blockGrids.get(type);
    assert.ok(grid);
    const { rule } = grid;
    const width = 256;
    const target = transposeInOrder(values.slice(0, rows * width), rows, width, naturalOrder(width));
    const made = new BlockWeight(grid, rows, width);
    for (let first = 0; first < width; first += rule.columns) {
      const panel = target.subarray(first * rows, (first + rule.columns) * rows);
      made.scales.push(fitBlocksReference(panel, rows, rule, new Float32Array(rule.columns).fill(1)));
    }
    const all = naturalOrder(width);
    const fitted = made.gridsOf(all);
    const codes = Uint8Array.from(target, (value, index) => columnCodeOf(value, fitted, index));
    const valuesOf = (): Float32Array => {
      const grids = made.gridsOf(all);
      return Float32Array.from(codes, (code, index) => columnValueOf(code, grids, index));
    };
    const lossOf = async (panel: Float32Array): Promise<Float64Array> => {
      const change = panel.map((value, index) => value - at(target, index));
      return outputByRow(plainBlas, restoreOrder(change, rows, width, all), rows, { gram: statistics.gram });
    };
    const begun = valuesOf();
    const before = await lossOf(begun);
    const size = rule.subColumns;
    const hessian = (row: number, column: number): number => at(statistics.gram, row * width + column);
    /** The best values of the first sub-block, less what the columns before each contribute. */
    const bestOf = (panel: Float32Array): Float32Array =>
      Float32Array.from({ length: size * rows }, (_, index) => {
        const [column, row] = [Math.floor(index / rows), index % rows];
        let best = at(panel, index) * hessian(column, column);
        for (const other of all) {
          const place = other * rows + row;
          best -= hessian(column, other) * (at(panel, place) - at(target, place));
          if (other < column) best += hessian(column, other) * at(panel, place);
        }
        return best / hessian(column, column);
      });
    const best = bestOf(begun);
    const part = Float32Array.from({ length: size * size }, (_, index) => hessian(Math.floor(index / size), index % size));
    const refit = createSubBlockRefitter(rule, rows);
    refit({ best, codes: codes.subarray(0, size * rows), hessian: part }, at(made.scales, 0), 0);
    const refitted = valuesOf();
    const after = await lossOf(refitted);
    const largest = best.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [index, value] of bestOf(refitted).entries()) {
      // float32: some 300 roundings of numbers of this size
      assert.ok(Math.abs(value - at(best, index)) <= 300 * 2 ** -24 * largest, `best value ${index}`);
    }
    after.forEach((loss, row) => assert.ok(loss <= at(before, row) * (1 + 1e-6), `row ${row}: ${loss} of ${at(before, row)}`));
    assert.ok(after.some((loss, row) => loss < at(before, row) * 0.999));
    if (rule.scales === undefined) return;
    const first = at(made.scales, 0);
    for (const [array, row] of [first.subScales, first.subOffsets].flatMap((array) =>
      [0, 3].map((row) => [array, row] as const),
    )) {
      const kept = at(array, row);
      for (const step of [-1, 1]) {
        if (array === first.subOffsets && (rule.offsets === undefined || kept + step < 0)) continue;
        array[row] = kept + step;
        const other = await lossOf(valuesOf());
        assert.ok(at(after, row) <= at(other, row) * (1 + 1e-6), `row ${row}: ${kept + step} instead of ${kept}`);
      }
      array[row] = kept;
    }
  });
}

test("parts with different grids are refused: a host solves them apart", async () => {
  const { weight, statistics } = await makeSampleSite(plainBlas, { parts: [4, 3], columns: 256 }, "group-aware:256");
  const parts = weight.parts.map((part, index) => ({
    ...part,
    grid: { kind: "blocks", type: index === 0 ? "Q4_K" : "Q6_K" } as const,
  }));
  for (const name of ["gptq", "rtn"]) {
    const solver = await loadSolver(name);
    const options = parseOptions(solverOptions(solver), { grid: "Q4_K" }, name);
    const error = await Promise.resolve()
      .then(() => solver.solve({ ...weight, parts }, statistics, options, context))
      .catch((caught: unknown) => caught);
    assert.match(String(error), /parts of a site have different grids/);
  }
});

test("weights that are corrected want more damping, unless a recipe says how much", async () => {
  const gptq = await loadSolver("gptq");
  const dampingOf = (qep: number, given: StageOptions = {}) =>
    factorOptionsFor(gptq, { qep, bits: 4 }, { kind: "none" }, given)["damping"];
  assert.is(dampingOf(0.5), 0.05);
  assert.is(dampingOf(0.5, { damping: 0.01 }), 0.01);
  // then factor's own
  assert.is(dampingOf(0), undefined);
});

test("a grid excludes the options of groups", async () => {
  const solver = await loadSolver("gptq");
  assert.throws(
    () => parseOptions(solverOptions(solver), { grid: "Q4_K", bits: 3 }, "gptq"),
    (error: Error) => error instanceof UsageError && /--grid and --bits exclude each other/.test(error.message),
  );
  const options = parseOptions(solverOptions(solver), { grid: "Q4_K" }, "gptq");
  assert.is(factorOptionsFor(solver, options, askedGrid(solver, options), {})["order"], "group-aware:256");
  assert.equal(plannedCodesOf(solver, options, "group-aware:256", askedGrid(solver, options)), { kind: "blocks", type: "Q4_K" });
});

test.run();
