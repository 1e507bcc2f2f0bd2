import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, defineSolver, type SiteWeight, type Solver } from "@mbs/contracts";
import { conformanceSuite, type ConformanceSettings } from "../src/conformance/index.ts";
import { loadSolver, solvers } from "../src/index.ts";

const settings: Readonly<Record<string, ConformanceSettings>> = {
  rtn: {
    options: [
      {},
      { bits: 3, groupSize: 32, symmetric: false, minZeroPoint: 1 },
      { bits: 2, groupSize: 0, search: "error" },
      { grid: "Q3_K" },
    ],
  },
  magnitude: { options: [{}, { sparsity: 0 }, { pattern: "2:4" }] },
  wanda: { options: [{}, { sparsity: 0.7 }, { pattern: "4:8" }, { useVariant: true }], beats: "magnitude" },
  "m-wanda": {
    options: [{}, { sparsity: 0.7 }, { variance: 10 }, { pattern: "4:8" }, { useVariant: true }],
    beats: "magnitude",
  },
  gptq: {
    options: [
      {},
      { bits: 3, groupSize: 32, symmetric: false },
      { bits: 3, groupSize: 0, search: "error", minZeroPoint: 1 },
      { bits: 3, groupSize: 48, gridRule: "updated", blockSize: 40 },
      { bits: 3, groupSize: 32, symmetric: false, search: "hessian", sweeps: 2 },
      { bits: 2, groupSize: 0, search: "hessian", sweeps: 1, qep: 0.25 },
      ...["Q2_K", "Q3_K", "IQ4_NL", "Q5_1"].map((grid) => ({ grid, sweeps: 1 })),
      { grid: "Q4_0", sweeps: 0, blockSize: 40 },
    ],
    beats: "rtn",
  },
  gptaq: {
    options: [
      { alpha: 0 },
      {},
      { bits: 3, groupSize: 32, symmetric: false },
      { bits: 3, groupSize: 0, alpha: 1 },
      { bits: 3, groupSize: 48, gridRule: "updated", blockSize: 40 },
    ],
  },
  awq: {
    options: [
      {},
      { bits: 3, groupSize: 32, symmetric: false },
      { bits: 3, groupSize: 32, clip: false, minZeroPoint: 1 },
      { bits: 2, groupSize: 0 },
      { bits: 4, groupSize: 48 },
    ],
    beats: "rtn",
    independentParts: false,
  },
  alps: {
    options: [{}, { sparsity: 0.7, schedule: "paper" }, { pattern: "2:4" }, { pattern: "4:8", schedule: "paper" }, { qep: 0.5 }],
    beats: "magnitude",
  },
  sparsegpt: {
    options: [{}, { sparsity: 0.7 }, { pattern: "2:4" }, { pattern: "1:3" }, { bits: 8, groupSize: 32 }, { qep: 0.25 }],
    beats: "magnitude",
  },
};

for (const [name, load] of solvers) {
  for (const { name: check, run } of conformanceSuite(await load(), settings[name])) test(check, run);
}

for (const order of ["natural", "activation", "group-aware:32"]) {
  const options = [
    { bits: 3, groupSize: 32 },
    { bits: 3, groupSize: 32, staticGroups: true },
  ];
  const checks = conformanceSuite(await loadSolver("gptq"), { options, order, beats: "rtn" });
  for (const { name: check, run } of checks) test(`${order} order: ${check}`, run);
}

// not compared with magnitude, which leaves its weights dense
for (const { name: check, run } of conformanceSuite(await loadSolver("sparsegpt"), {
  options: [{ bits: 3, minZeroPoint: 1 }],
}))
  test(`3 bits: ${check}`, run);

/** What a broken solver is told by the suite. */
async function complaintsOf(solver: Solver, options: ConformanceSettings["options"] = [{}]): Promise<string[]> {
  const complaints: string[] = [];
  for (const { run } of conformanceSuite(solver, { options }))
    await run().catch((error: Error) => complaints.push(error.message));
  return complaints;
}

const idle = { name: "idle", source: "test", summary: "does nothing", needs: [], options: {} } as const;

const refuses = async (solve: Solver["solve"], pattern: RegExp) => {
  const complaints = await complaintsOf({ ...idle, solve });
  assert.ok(
    complaints.some((complaint) => pattern.test(complaint)),
    `${pattern} not in: ${complaints.join("; ")}`,
  );
};

test("the suite passes a solver that changes nothing", async () => {
  assert.equal(await complaintsOf(defineSolver({ ...idle, solve: ({ values }) => ({ values }) })), []);
});

test("the suite catches what a solver must not do", async () => {
  await refuses(({ values }, { gram }) => ({ values: values.fill(at(gram, 0)) }), /reads the statistic gram/);
  await refuses(({ values }) => ({ values: values.fill(NaN) }), /NaN at row 0, column 0/);
  await refuses(({ values }) => ({ values, inputScale: new Float32Array(3).fill(1) }), /3 scales for 150 channels/);
  await refuses(({ values, columns }) => ({ values, inputScale: new Float32Array(columns) }), /input scale 0/);
  await refuses(
    ({ values, columns }) => ({ values, inputScale: new Float32Array(columns).fill(1) }),
    /scales an input that nothing can scale/,
  );
  await refuses(({ values }) => ({ values: values.slice(1) }), /values for a weight of/);
  await refuses(({ values }) => ({ values, mask: new Uint8Array(values.length) }), /which its mask removes/);
  await refuses(({ values }) => ({ values, mask: new Uint8Array(values.length).fill(2) }), /has a mask of other numbers/);
  let calls = 0;
  await refuses(({ values }) => ({ values: values.fill((calls += 1)) }), /values differ from the first time/);
  await refuses(({ values, rows }) => ({ values: values.fill(rows) }), /differs from itself alone/);
});

test("the suite catches a solver that announces blocks, or is asked for them, and makes none", async () => {
  const none = {
    ...idle,
    plannedCodes: () => ({ kind: "blocks", type: "Q4_0" }) as const,
    solve: ({ values }: SiteWeight) => ({ values }),
  };
  assert.match((await complaintsOf(none)).join(), /makes no blocks, and its plannedCodes says that it does/);
  const plain = { ...(await loadSolver("rtn")), solve: ({ values }: SiteWeight) => ({ values }) };
  assert.match((await complaintsOf(plain, [{ grid: "Q4_0" }])).join(), /handed back no blocks, and its weight asks for them/);
});

test("the suite catches a solver that says its rows are independent and looks at others", async () => {
  const solver = defineSolver({
    ...idle,
    rowsAreIndependent: true,
    solve: ({ values, rows }) => ({ values: values.fill(rows) }),
  });
  assert.match((await complaintsOf(solver)).join(), /values differ where rows are solved apart/);
});

test("a complaint names its check, its options, and the options of the method to beat", async () => {
  const options = { sparsity: { kind: "number", default: 0.5, description: "" } } as const;
  const solver = defineSolver({ ...idle, options, solve: ({ values }) => ({ values: values.fill(0) }) });
  const checks = conformanceSuite(solver, { options: [{ sparsity: 0.7 }], beats: "magnitude" });
  const { run } = at(checks, checks.length - 1);
  const complaint = await run().then(String, (error: Error) => error.message);
  assert.match(
    complaint,
    /^idle \{"sparsity":0\.7\}: loses less output than magnitude: has the error [\d.]+, not below the [\d.]+ of magnitude with \{"sparsity":0\.7/,
  );
});

/** The solvers that docs/adding-a-solver.md shows, as they stand there. */
async function documentedSolvers(): Promise<Solver[]> {
  const text = readFileSync(join(import.meta.dirname, "../../../docs/adding-a-solver.md"), "utf8");
  const sources = [...text.matchAll(/```js\n(.*?)```/gs)].flatMap(([, source = ""]) =>
    source.includes("defineSolver(") ? source : [],
  );
  return Promise.all(
    sources.map(async (source) => {
      const whole = source.replaceAll(/from "(@mbs\/[a-z]+)"/g, (_, name: string) => `from "${import.meta.resolve(name)}"`);
      const module = (await import(`data:text/javascript,${encodeURIComponent(whole)}`)) as { default: Solver };
      return module.default;
    }),
  );
}

test("the suite passes the solvers that the documentation shows", async () => {
  const documented = await documentedSolvers();
  assert.equal(
    documented.map(({ name }) => name),
    ["below-mean", "seven-steps"],
  );
  const [pruning, quantising] = [at(documented, 0), at(documented, 1)];
  const checks = [
    ...conformanceSuite(pruning, { options: [{}, { fraction: 1 }] }),
    ...conformanceSuite(quantising, { options: [{}, { groupSize: 32 }, { groupSize: 1000 }] }),
  ];
  for (const { run } of checks) await run();
});

test("the suite asks for a setting in which a solver rounds that may round nothing", async () => {
  const solver = defineSolver({
    ...idle,
    grids: ["groups", "none"],
    solve: ({ values, parts }) => {
      if (parts.some(({ grid }) => grid.kind !== "none")) throw new Error("not yet");
      return { values };
    },
  });
  assert.equal(await complaintsOf(solver), ["rounds in none of the settings; name bits or a grid in one of them"]);
  assert.ok((await complaintsOf(solver, [{ bits: 3 }])).some((complaint) => complaint.includes("not yet")));
});

test("the suite catches a solver that modifies its statistics", async () => {
  const solver = defineSolver({
    ...idle,
    needs: ["diagonal"],
    solve: ({ values }, { diagonal }) => {
      diagonal[0] = at(diagonal, 0) + 1;
      return { values };
    },
  });
  assert.match((await complaintsOf(solver)).join(), /modifies its statistics/);
});

test.run();
