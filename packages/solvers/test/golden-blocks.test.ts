import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, parseOptions, type SolverContext, type SolverStatistics } from "@mbs/contracts";
import { blockGrids } from "@mbs/gguf";
import { plainBlas } from "../src/conformance/plain-blas.ts";
import { askedGrid, loadSolver, outputByRow, solverOptions, withGrid } from "../src/index.ts";
import { decodeBytes, makeInputs, readGolden, referenceFactor, type GoldenCase } from "./golden-inputs.ts";

const context: SolverContext = { blas: plainBlas, signal: new AbortController().signal, warn: () => {} };
const cases = readGolden("blocks.json");
const { input } = at(cases, 0);
const { rows, columns } = input;
const { weights, gram } = makeInputs(input);
const diagonal = Float32Array.from({ length: columns }, (_, column) => at(gram, column * (columns + 1)));
const orders = [...new Set(cases.map(({ order = "natural" }) => order))];
const factors = new Map(
  await Promise.all(orders.map(async (order) => [order, await referenceFactor(plainBlas, gram, input.tokens, order)] as const)),
);

const floatsOf = (text = ""): Float32Array => new Float32Array(decodeBytes(text).slice().buffer);

/** Rows of which some value is not the reference's, to a hundred-thousandth of its scale. */
function differentRows(values: Float32Array, { options, ...golden }: GoldenCase): Set<number> {
  const rule = blockGrids.get(String(options["grid"]))?.rule;
  assert.ok(rule);
  const codes = decodeBytes(golden.codes ?? "");
  const [scales, offsets] = [floatsOf(golden.scales), floatsOf(golden.offsets)];
  const different = new Set<number>();
  for (const [index, value] of values.entries()) {
    // a row's sub-blocks lie one after the other
    const sub = Math.floor(index / rule.subColumns);
    const code = at(codes, index);
    const expected = (rule.levels ? at(rule.levels, code) : code - rule.zero) * at(scales, sub) - at(offsets, sub);
    if (Math.abs(value - expected) > 1e-5 * Math.abs(at(scales, sub))) different.add(Math.floor(index / columns));
  }
  return different;
}

for (const golden of cases) {
  test(`gptq as blocks.json has it: ${golden.name}`, async () => {
    const { options, order = "natural" } = golden;
    const solver = await loadSolver("gptq");
    const parts = [{ tensor: "w", firstRow: 0, rows }];
    const weight = { rows, columns, values: weights.slice(), parts };
    const statistics = { factor: factors.get(order), gram, diagonal } as unknown as SolverStatistics;
    const parsed = parseOptions(solverOptions(solver), options, "gptq");
    const { values } = await solver.solve(withGrid(askedGrid(solver, parsed), weight), statistics, parsed, context);
    // ours is float32: a scale or offset that is as near to two numbers can become the other one, and the rest of its row follows
    const different = differentRows(values, golden);
    assert.ok(different.size <= rows / 8, `rows ${[...different].join(", ")} differ`);
    const change = values.map((value, index) => value - at(weights, index));
    const error = (await outputByRow(plainBlas, change, rows, { gram })).reduce((sum, own) => sum + own, 0);
    assert.ok(Math.abs(error / golden.error - 1) < 1e-3, `error ${error}, reference ${golden.error}`);
  });
}

test.run();
