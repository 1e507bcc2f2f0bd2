import { at, parseOptions, type Solution, type SiteWeight } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeSampleSite } from "../src/conformance/sample-site.ts";
import { plainBlas } from "../src/conformance/plain-blas.ts";
import { askedGrid, joinRows, loadSolver, rowsOf, solverOptions, solvers, splitRows, withGrid } from "../src/index.ts";

test("rows are split into whole strips of the kernel, a part for each thread where each has enough to do", () => {
  const shapes = [
    [4096, 640],
    [1000, 1024],
    [33, 100_000],
    [7, 1_000_000],
    [640, 100],
    [0, 640],
  ] as const;
  for (const [rows, columns] of shapes) {
    for (const threads of [1, 2, 3, 16]) {
      const ranges = splitRows({ rows, columns }, threads);
      assert.ok(ranges.length >= 1 && ranges.length <= threads);
      let next = 0;
      for (const { firstRow, rows: own } of ranges) {
        assert.is(firstRow, next);
        assert.is(firstRow % 32, 0);
        assert.ok(own > 0 || rows === 0);
        next += own;
      }
      assert.is(next, rows);
    }
  }
  assert.is(splitRows({ rows: 4096, columns: 640 }, 3).length, 3);
  assert.is(splitRows({ rows: 640, columns: 640 }, 16).length, 1, "a small site stays whole");
});

test("some rows keep the tensors that they belong to, and their grids", () => {
  const grid = { kind: "groups", bits: 4, groupSize: 2, zeroPoints: "middle" } as const;
  const parts = [
    { tensor: "a", firstRow: 0, rows: 3, grid },
    { tensor: "b", firstRow: 3, rows: 2, grid },
    { tensor: "c", firstRow: 5, rows: 1, grid },
  ];
  const weight: SiteWeight = { rows: 6, columns: 2, values: Float32Array.from({ length: 12 }, (_, index) => index), parts };
  const some = rowsOf(weight, { firstRow: 2, rows: 3 });
  assert.equal([some.rows, [...some.values]], [3, [4, 5, 6, 7, 8, 9]]);
  assert.equal(some.parts, [
    { tensor: "a", firstRow: 0, rows: 1, grid },
    { tensor: "b", firstRow: 1, rows: 2, grid },
  ]);
});

const part = (value: number): Solution => ({ values: Float32Array.of(value, 0), mask: Uint8Array.of(1, 0) });

test("masks and values of parts are joined", () => {
  const joined = joinRows([part(2), part(3)]);
  assert.equal(
    [[...joined.values], [...(joined.mask ?? [])]],
    [
      [2, 0, 3, 0],
      [1, 0, 1, 0],
    ],
  );
  assert.not.ok("quantised" in joined);
});

test("those solvers declare independent rows that decide nothing over several rows", async () => {
  const declaring: string[] = [];
  for (const [name, load] of solvers) if ((await load()).rowsAreIndependent === true) declaring.push(name);
  assert.equal(declaring, ["rtn", "gptq"]);
});

test("a factor in shared memory gives the same solution: no view of it reaches the Blas", async () => {
  const solver = await loadSolver("gptq");
  const { weight, statistics } = await makeSampleSite(plainBlas, { parts: [20], columns: 96 }, "group-aware:32");
  const options = parseOptions(solverOptions(solver), { bits: 3, groupSize: 32, blockSize: 32 }, solver.name);
  const { upper } = statistics.factor;
  const shared = new Float32Array(new SharedArrayBuffer(upper.byteLength));
  shared.set(upper);
  const blas: typeof plainBlas = {
    gemm(a, b, given) {
      for (const { values } of [a, b, ...(given?.add ? [given.add] : [])]) assert.ok(values.buffer instanceof ArrayBuffer);
      return plainBlas.gemm(a, b, given);
    },
  };
  const solve = (used: Float32Array) => {
    const own = withGrid(askedGrid(solver, options), { ...weight, values: weight.values.slice() });
    const given = { ...statistics, factor: { ...statistics.factor, upper: used } };
    return solver.solve(own, given, options, { blas, signal: new AbortController().signal, warn: () => {} });
  };
  const [plain, fromShared] = [await solve(upper), await solve(shared)];
  assert.equal(fromShared.values, plain.values);
  assert.equal(at([fromShared.quantised], 0)?.codes, plain.quantised?.codes);
});

test.run();
