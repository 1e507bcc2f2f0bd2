import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError, InternalError, parseOptions, UsageError, type Solver, type ZeroPoints } from "@mbs/contracts";
import { makeSampleSite } from "../src/conformance/sample-site.ts";
import { plainBlas } from "../src/conformance/plain-blas.ts";
import { askedGrid, dependentDefaults, loadSolver, plannedCodesOf, solverOptions, withGrid } from "../src/index.ts";

const rounding = ["rtn", "awq", "gptq", "gptaq", "sparsegpt"];

async function defaultsOf(name: string, raw: object, zeroPoints: ZeroPoints) {
  const solver = await loadSolver(name);
  return dependentDefaults(solver, parseOptions(solverOptions(solver), raw, name), { zeroPoints, crossMoments: false });
}

for (const name of rounding) {
  test(`${name}: grids are symmetric above 3 bits, asymmetric below, for every caller`, async () => {
    const solver = await loadSolver(name);
    const site = await makeSampleSite(plainBlas, { parts: [6], columns: 64 }, "natural");
    for (const bits of [2, 3, 4, 8]) {
      const options = parseOptions(solverOptions(solver), { bits, groupSize: 32 }, name);
      const context = { blas: plainBlas, signal: new AbortController().signal, warn: () => {} };
      const { weight, statistics } = structuredClone(site);
      const { quantised } = await solver.solve(withGrid(askedGrid(solver, options), weight), statistics, options, context);
      assert.ok(quantised);
      assert.is(quantised.symmetric, bits > 3, `${bits} bits`);
      assert.is(
        quantised.zeros.every((zero) => zero === 2 ** (bits - 1)),
        bits > 3,
        `${bits} bits`,
      );
      const planned = plannedCodesOf(solver, options, "natural", askedGrid(solver, options));
      assert.is(typeof planned === "object" && "grid" in planned && planned.grid.zeroPoints, bits > 3 ? "middle" : "any");
      const { symmetric } = dependentDefaults(solver, options, { zeroPoints: "any", crossMoments: false });
      assert.is(symmetric, bits > 3);
    }
  });

  test(`${name}: what a format asks for is the default, and what is given stays`, async () => {
    for (const [raw, zeroPoints, expected] of [
      [{ bits: 3 }, "from-one", { symmetric: false, minZeroPoint: 1 }],
      [{ bits: 3 }, "middle", { symmetric: true }],
      [{ bits: 4 }, "from-one", { symmetric: true }],
      [{ bits: 4, symmetric: false }, "from-one", { minZeroPoint: 1 }],
      [{ bits: 3, symmetric: false }, "middle", {}],
      [{ bits: 3, symmetric: true }, "from-one", {}],
      [{ bits: 3, minZeroPoint: 0 }, "from-one", { symmetric: false }],
    ] as const) {
      assert.equal(await defaultsOf(name, raw, zeroPoints), expected, JSON.stringify([raw, zeroPoints]));
    }
  });
}

test("a solver that rounds nothing has no grid to choose", async () => {
  for (const name of ["sparsegpt", "wanda", "magnitude"]) assert.equal(await defaultsOf(name, {}, "from-one"), {}, name);
});

test("of bits that an allocation chooses from, what is the same for all is the default, the rest stays open", async () => {
  const solver = await loadSolver("gptq");
  const options = parseOptions(solverOptions(solver), {}, "gptq");
  for (const [bits, zeroPoints, expected] of [
    [[2, 3, 4], "any", {}],
    [[4, 8], "any", { symmetric: true }],
    [[2, 3, 4], "from-one", { minZeroPoint: 1 }],
    [[2, 3, 4], "middle", { symmetric: true }],
    [[], "middle", {}],
  ] as const) {
    const found = dependentDefaults(solver, options, { zeroPoints, crossMoments: false }, bits);
    assert.equal(found, expected, JSON.stringify([bits, zeroPoints]));
  }
});

test("the options of grids follow from the kinds that a solver rounds to", () => {
  const own = { fast: { kind: "flag", description: "sooner", default: false } } as const;
  const groups = ["bits", "groupSize", "symmetric", "minZeroPoint"];
  for (const [grids, names] of [
    [undefined, []],
    [["none"], []],
    [["groups"], groups],
    [
      ["groups", "blocks"],
      [...groups, "grid", "typeMix"],
    ],
    [["blocks"], ["grid", "typeMix"]],
  ] as const) {
    const table = solverOptions({ ...(grids && { grids }), options: own });
    assert.equal(Object.keys(table).sort(), [...names, "fast"].sort());
  }
  const parse = (grids: Solver["grids"], raw: object) =>
    parseOptions(solverOptions({ ...(grids && { grids }), groupOptions: ["fast"], options: own }), raw, "mine");
  assert.equal([parse(["groups"], {})["bits"], parse(["groups", "none"], {})["bits"]], [4, undefined]);
  const inBlocks = parse(["groups", "blocks"], { grid: "Q4_K" });
  assert.equal([inBlocks["bits"], inBlocks["groupSize"]], [undefined, undefined]);
  assert.throws(() => parse(["groups", "blocks"], { grid: "Q4_K", fast: true }), /--grid and --fast exclude each other/);
  assert.throws(() => parse(["groups", "blocks"], { typeMix: "Q4_K_M", bits: 3 }), /--type-mix and --bits exclude each other/);
});

const throwing = (thrown: Error): Solver => ({
  name: "mine",
  source: "s",
  summary: "s",
  needs: [],
  options: {},
  dependentDefaults() {
    throw thrown;
  },
  solve: () => ({ values: new Float32Array(0) }),
});

test("a third-party solver that fails when it is asked for its defaults is named in the error", () => {
  for (const [thrown, kind, message] of [
    [new Error("gone"), InternalError, /^solver mine failed when asked for its dependentDefaults: gone; fix it/],
    [
      new BadDataError("a weight is too large"),
      BadDataError,
      /^solver mine when asked for its dependentDefaults: a weight is too large$/,
    ],
    [new UsageError("too few bits"), UsageError, /^solver mine when asked for its dependentDefaults: too few bits$/],
  ] as const) {
    try {
      dependentDefaults(throwing(thrown), {}, { zeroPoints: "any", crossMoments: false });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, kind);
      assert.match((error as Error).message, message);
    }
  }
});

test.run();
