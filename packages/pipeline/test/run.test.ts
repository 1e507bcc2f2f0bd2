import { spawnSync } from "node:child_process";
import { mkdir, readFile, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { artifactKinds, withLock } from "@mbs/artifacts";
import {
  BadDataError,
  DeniedError,
  FailedPreconditionError,
  InternalError,
  InterruptedError,
  TryAgainError,
  UsageError,
} from "@mbs/contracts";
import type { Stage, StageOptions } from "@mbs/contracts";
import { loadSolver, solverOptions } from "@mbs/solvers";
import * as assert from "uvu/assert";
import { buildProgram } from "../../../tools/test/built-program.ts";
import { parseRecipe } from "../src/recipe/parse-recipe.ts";
import { planRun } from "../src/plan/plan.ts";
import { withAllocationNeeds } from "../src/plan/allocated-grids.ts";
import { decideAsGiven } from "../src/plan/decide.ts";
import { stageOf } from "../src/plan/known-stages.ts";
import { fakeStages } from "./fixtures/fake-stages.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { snapshot, workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("run");

test("runs every node once and leaves model, scores, similarity and the full recipe", async ({ root, recipe }) => {
  const { nodes } = await go(recipe({ propagation: "sequential" }));
  assert.equal(
    nodes.map(({ id }) => id),
    [
      "sample",
      "propagate.embedding",
      "capture.h.0",
      "similarity",
      "factor.h.0",
      "compress.h.0",
      "propagate.h.0",
      "capture.h.1",
      "factor.h.1",
      "compress.h.1",
      "assemble",
      "evaluate",
    ],
  );
  assert.equal((await readdir(join(root, "out"))).sort(), ["model", "recipe.yaml", "run", "scores.arrow", "similarity.arrow"]);
  const kept = (await readdir(join(root, "out", "run", "artifacts"))).length;
  assert.is(kept, 5, "segments, layers of two blocks, scores, similarity");
});

test("a second run does nothing and a recorded recipe runs again", async ({ root, recipe }) => {
  const first = await go(recipe());
  const started: string[] = [];
  const second = await go(recipe(), { stages: fakeStages((name) => started.push(name)) });
  assert.equal(started, []);
  assert.equal(
    second.nodes.map(({ address }) => address),
    first.nodes.map(({ address }) => address),
  );
  const path = join(root, "out", "recipe.yaml");
  const recorded = parseRecipe(await readFile(path, "utf8"), path);
  await go({ ...recorded, output: join(root, "again") });
  assert.equal(await snapshot(join(root, "again", "model")), await snapshot(join(root, "out", "model")));
  await writeFile(join(root, "corpus", "en.txt"), "Something else.\n");
  const error = await failure(go({ ...recorded, output: join(root, "changed") }));
  assert.instance(error, BadDataError);
  assert.match((error as Error).message, /recipe\.yaml:\d+: corpus has the hash/);
});

test("all three propagations make a plan whose every node runs", async ({ root, recipe }) => {
  for (const [propagation, count] of [
    ["dense", 7],
    ["sequential", 12],
    ["true-sequential", 31],
    [undefined, 31],
  ] as const) {
    const { nodes } = await go(recipe({ propagation, output: join(root, propagation ?? "open") }));
    assert.is(nodes.length, count, propagation ?? "the default");
  }
});

test("a solver that compares with the dense model gets its states beside the compressed ones", async ({ root, recipe }) => {
  const compress = { solver: "gptaq", bits: 3 };
  const propagation = "sequential";
  const outline = { blocks: ["h.0", "h.1", "h.2"].map((name) => ({ name, sites: [] })), siteRounds: () => [["mlp-up"]] };
  const planOf = async (options: StageOptions) => {
    const plannable = await withAllocationNeeds(recipe({ compress: options, propagation }), new Map());
    return planRun(await decideAsGiven(plannable, new Map(), outline), outline, "model");
  };
  const { nodes } = await planOf(compress);
  const inputsOf = (id: string) => nodes.find((node) => node.id === id)?.inputs;
  assert.equal(inputsOf("capture.h.0"), { source: ["propagate.embedding"], denseStates: ["propagate.embedding"] });
  assert.equal(inputsOf("propagate.dense.h.0"), { source: ["propagate.embedding"] });
  assert.equal(inputsOf("propagate.dense.h.1"), { source: ["propagate.dense.h.0"] });
  assert.equal(inputsOf("capture.h.2"), { source: ["propagate.h.1"], denseStates: ["propagate.dense.h.1"] });
  assert.is(inputsOf("propagate.dense.h.2"), undefined, "nothing reads them");
  const others = await planOf({ solver: "gptq", qep: 0 });
  assert.ok(others.nodes.every(({ id, inputs }) => !id.includes("dense") && inputs["denseStates"] === undefined));
  const error = await failure(go(recipe({ compress: { solver: "gptaq" }, propagation: "dense", output: join(root, "dense") })));
  assert.instance(error, UsageError);
  assert.match((error as Error).message, /take propagation: sequential, or solver: gptq/);
});

test("keep leaves every artifact", async ({ root, recipe }) => {
  const { nodes } = await go(recipe({ keep: true }));
  const names = new Set(await readdir(join(root, "out", "run", "artifacts")));
  for (const { id, address } of nodes) assert.ok(id === "assemble" || names.has(`${address}.arrow`), id);
});

test("resumes after SIGKILL before, in and after every node with the same bytes", async ({ root, recipe }) => {
  // fewer nodes, each of which is a run that is killed
  const propagation = "sequential";
  const block = ["capture", "factor", "compress", "propagate"];
  const mostRepeated = block.length + 1;
  const { nodes } = await go(recipe({ propagation, output: join(root, "whole") }));
  const whole = await snapshot(join(root, "whole"));
  const [program, ...words] = await buildProgram(new URL("fixtures/killed-run.ts", import.meta.url));
  for (let count = 1; count <= nodes.length; count += 3) {
    for (const when of ["before", "after"]) {
      await rm(join(root, "out"), { recursive: true, force: true });
      const { locate: _, ...plain } = recipe({ propagation });
      const child = spawnSync(program, [...words, JSON.stringify(plain), String(count), when], { encoding: "utf8" });
      assert.is(child.signal, "SIGKILL", child.stderr);
      const started: string[] = [];
      await go(recipe({ propagation }), { stages: fakeStages((name) => started.push(name)) });
      const left = nodes.length - (when === "before" ? count - 1 : count);
      // statistics and factors are in memory, and what is written behind may not be there yet: at most a block is made again
      assert.ok(started.length >= left && started.length <= left + mostRepeated, `${when} ${count}: ${started.join()}`);
      const resumed = await snapshot(join(root, "out"));
      for (const name of Object.keys(whole)) {
        // The output's own name stands in its recipe, and the recipe's hash in identity.
        if (name !== "recipe.yaml") assert.is(resumed[name], whole[name], `${when} ${count}: ${name}`);
      }
      assert.equal(Object.keys(resumed), Object.keys(whole), `${when} ${count}`);
    }
  }
});

test("what a program of another version has made is made again", async ({ recipe }) => {
  await go(recipe());
  const started = async (): Promise<readonly string[]> => {
    const names: string[] = [];
    await go(recipe(), { stages: fakeStages((name) => names.push(name)) });
    return names;
  };
  assert.equal(await started(), []);
  const layers: { version: number } = artifactKinds.layers;
  layers.version += 1;
  try {
    const names = await started();
    assert.ok(names.includes("compress") && !names.includes("sample"), names.join());
  } finally {
    layers.version -= 1;
  }
});

test("stops between nodes when the signal fires, and goes on", async ({ recipe }) => {
  const controller = new AbortController();
  const error = await failure(
    go(recipe(), { signal: controller.signal, onNode: ({ id }) => id === "capture.h.0.input" && controller.abort() }),
  );
  assert.instance(error, InterruptedError);
  const started: string[] = [];
  await go(recipe(), { stages: fakeStages((name) => started.push(name)) });
  assert.is(started[0], "similarity");
});

test("makes a lost artifact again where something still reads it", async ({ root, recipe }) => {
  const controller = new AbortController();
  let lost = "";
  await failure(
    go(recipe(), {
      signal: controller.signal,
      onNode: ({ id, address }) => {
        if (id !== "compress.h.0.mlp-up") return;
        lost = address;
        controller.abort();
      },
    }),
  );
  await rm(join(root, "out", "run", "artifacts", `${lost}.arrow`));
  const { nodes } = await go(recipe());
  assert.is(nodes.find(({ id }) => id === "compress.h.0.mlp-up")?.address, lost);
});

test("refuses an occupied folder, another recipe's run and a file; --force replaces only what a run wrote", async ({
  root,
  recipe,
}) => {
  await mkdir(join(root, "out"));
  await writeFile(join(root, "out", "mine.txt"), "mine");
  assert.instance(await failure(go(recipe())), DeniedError);
  await go(recipe(), { force: true });
  assert.is(await readFile(join(root, "out", "mine.txt"), "utf8"), "mine");
  const error = await failure(go(recipe({ factor: { damping: 0.1 } })));
  assert.instance(error, DeniedError);
  assert.match((error as Error).message, /changed inputs; what differs, .*: factor\.damping; choose another output/);
  await writeFile(join(root, "corpus", "en.txt"), "another text\n");
  const changed = await failure(go(recipe()));
  assert.match((changed as Error).message, /changed inputs; what differs, .*: corpus; choose another output/);
  await go(recipe({ factor: { damping: 0.1 } }), { force: true });
  await writeFile(join(root, "file"), "");
  assert.instance(await failure(go(recipe({ output: join(root, "file") }))), DeniedError);
});

test("a run that began with another propagation is not taken for one with the default", async ({ root, recipe }) => {
  const sequential = recipe({ propagation: "sequential" });
  await go(sequential);
  const before = await snapshot(join(root, "out"));
  for (const other of [recipe(), recipe({ propagation: "dense" })]) {
    const error = await failure(go(other));
    assert.instance(error, DeniedError);
    assert.match((error as Error).message, /changed inputs; what differs, .*propagation; choose another output/);
  }
  const more = await failure(go(recipe({ factor: { damping: 0.1 } })));
  assert.match((more as Error).message, /what differs, .* factor\.damping, propagation;/);
  assert.equal(await snapshot(join(root, "out")), before, "nothing is lost");
  const started: string[] = [];
  await go(sequential, { stages: fakeStages((name) => started.push(name)) });
  assert.equal(started, []);
});

test("what keep chooses is named where a run that began without it is refused", async ({ root, recipe }) => {
  const changes = { compress: { solver: "gptq", bits: 4 }, similarity: false, output: join(root, "other") };
  await go(recipe(changes));
  const error = await failure(go(recipe({ ...changes, keep: true })));
  assert.instance(error, DeniedError);
  assert.match((error as Error).message, /: capture\.grams \(unless it is given, keep and stages choose it\); choose another/);
  await go(recipe({ ...changes, keep: true, capture: { grams: "pooled" } }));
});

test("a link to an output is the same output", async ({ root, recipe }) => {
  // which is not there yet
  await symlink(join(root, "out"), join(root, "link"));
  await withLock(join(root, "out"), async () => {
    for (const force of [false, true]) {
      assert.instance(await failure(go(recipe({ output: join(root, "link") }), { force })), TryAgainError);
    }
  });
  await go(recipe({ output: join(root, "link") }));
  assert.ok((await readdir(join(root, "out"))).includes("model"));
});

test("a recipe that differs only after the layers goes on from them, and never replaces a model", async ({ root, recipe }) => {
  const stages = fakeStages();
  const assemble = stageOf(stages, "assemble");
  const failing = new Map([...stages, ["assemble", { ...assemble, run: () => Promise.reject(new BadDataError("no space")) }]]);
  assert.instance(await failure(go(recipe({ assemble: { format: "gptq" } }), { stages: failing })), BadDataError);

  const started: string[] = [];
  const noting = { stages: fakeStages((name) => started.push(name)) };
  await go(recipe({ assemble: { format: "onnx" } }), noting);
  assert.equal(started.splice(0), ["assemble", "evaluate"]);
  const model = await snapshot(join(root, "out", "model"));

  const evaluate = { corpus: join(root, "corpus"), length: 8 };
  await go(recipe({ assemble: { format: "onnx" }, evaluate }), noting);
  assert.equal(started.splice(0), ["evaluate"]);

  const error = await failure(go(recipe({ assemble: { format: "dense" }, evaluate }), noting));
  assert.instance(error, DeniedError);
  assert.match(
    (error as Error).message,
    /out\/model was written by another recipe, .* move it away .* or start over with --force$/,
  );
  assert.equal(started, []);
  assert.equal(await snapshot(join(root, "out", "model")), model);

  await rename(join(root, "out", "model"), join(root, "kept"));
  await go(recipe({ assemble: { format: "dense" }, evaluate: undefined }), noting);
  assert.equal(started, ["assemble"]);
  assert.not.ok((await readdir(join(root, "out"))).includes("scores.arrow"), "those of another model");
});

test("one run at a time works on an output", async ({ root, recipe }) => {
  await withLock(join(root, "out"), async () => {
    const error = await failure(go(recipe()));
    assert.instance(error, TryAgainError);
    assert.match((error as Error).message, new RegExp(String(process.pid)));
  });
});

test("a wrong option shows before anything runs, with its line", async ({ root }) => {
  const text = `model: ${join(root, "model")}\ncorpus: ${join(root, "corpus")}\ncompress:\n  solver: wanda\nfactor:\n  order: natural\n  dampig: 0.1\noutput: ${join(root, "out")}\n`;
  const error = await failure(go(parseRecipe(text, "r.yaml")));
  assert.instance(error, UsageError);
  assert.match((error as Error).message, /^r\.yaml:7: factor: unknown option --dampig/);
  assert.equal((await readdir(root)).sort(), ["corpus", "evaluation", "model"]);
});

test("all wrong options of all stages show at once", async ({ root }) => {
  const text = `model: ${join(root, "model")}\ncorpus: ${join(root, "corpus")}\nsample:\n  segments: many\n  colour: red\ncompress:\n  solver: wanda\n  sparsity: 2\nassemble:\n  formt: gptq\noutput: ${join(root, "out")}\n`;
  const error = await failure(go(parseRecipe(text, "r.yaml")));
  assert.instance(error, UsageError);
  const { message } = error as Error;
  assert.match(message, /^4 faults: \(1\) r\.yaml:5: sample: unknown option --colour/);
  assert.match(message, /\(2\) r\.yaml:4: --segments takes a whole number, not "many" \(3\) r\.yaml:8: --sparsity must be/);
  assert.match(message, /\(4\) r\.yaml:10: assemble: unknown option --formt/);
  assert.equal((await readdir(root)).sort(), ["corpus", "evaluation", "model"]);
});

/** As of the real methods, as far as faults depend on it. */
const allocationNeeds = async ({ method }: StageOptions) => ({
  chooses: method === "damage" || method === "even" ? ("bits" as const) : ("sparsity" as const),
  statistics: "diagonal" as const,
  segments: false,
});

test("faults of options, solver files, stages, inputs and allocation show at once", async ({ root }) => {
  const text = (compress: string, rest: string) =>
    `model: ${join(root, "model")}\ncorpus: ${join(root, "corpus")}\nsample: { segments: many }\ncompress: { ${compress} }\noutput: ${join(root, "out")}\n${rest}`;
  const fakes = fakeStages();
  const own = {
    method: { kind: "text", default: "owl", description: "" },
    sparsity: { kind: "number", description: "" },
  } as const;
  const checking = new Map([
    ...fakes,
    ["allocate", { ...stageOf(fakes, "similarity"), name: "allocate", options: own, allocationNeeds }],
    [
      "compress",
      {
        ...stageOf(fakes, "compress"),
        moreOptions: async ({ solver }: StageOptions) => solverOptions(await loadSolver(String(solver))),
        options: { ...stageOf(fakes, "compress").options, allowNonfinite: { kind: "flag", default: false, description: "" } },
      },
    ],
  ] as [string, Stage][]);
  const messageOf = async (compress: string, rest: string): Promise<string> => {
    const error = await failure(go(parseRecipe(text(compress, rest), "r.yaml"), { stages: checking }));
    assert.instance(error, UsageError);
    return (error as Error).message;
  };
  const stages = `stages:
  gone: { stage: ./absent.js, inputs: { x: capture } }
  after: { stage: similarity, inputs: { statistics: sample, layers: gone } }
  early: { stage: similarity, inputs: { statistics: later } }
`;
  const all = await messageOf("solver: ./none.js, allow-nonfinite: 3", `allocate: { spred: 1 }\n${stages}`);
  for (const pattern of [
    /^8 faults: \(1\) r\.yaml:8: no stage "\.\/absent\.js": there is no such file/,
    / r\.yaml:3: --segments takes a whole number, not "many"/,
    / r\.yaml:6: allocate: unknown option --spred/,
    / r\.yaml:4: no solver "\.\/none\.js": there is no such file/,
    / r\.yaml:4: --allow-nonfinite /,
    / r\.yaml:9: stages\.after has no input layers; its stage has statistics/,
    / r\.yaml:9: stages\.after reads sample as its input statistics, which takes statistics; sample makes segments/,
    / r\.yaml:10: stages\.early\.inputs\.statistics names "later", and this recipe has /,
  ]) {
    assert.match(all, pattern);
  }
  const rounding = await messageOf("solver: rtn", "allocate: { method: owl }\n");
  assert.match(rounding, /^2 faults: .* r\.yaml:6: an allocation spreads a sparsity, and solver rtn has none; leave it out/);
  const pruning = await messageOf("solver: wanda", "allocate: { method: damage, bits-per-weight: 3 }\n");
  assert.match(pruning, /r\.yaml:6: an allocation of bits needs a solver that rounds to them, and wanda does not; take gptq/);
  const both = await messageOf("solver: sparsegpt", "allocate: { method: damage, bits-per-weight: 3 }\n");
  assert.match(
    both,
    /r\.yaml:6: an allocation of bits is made for rounding alone, and solver sparsegpt prunes; take a method that chooses/,
  );
  const twice = await messageOf("solver: gptq, bits: 3", "allocate: { method: damage, bits-per-weight: 3 }\n");
  assert.match(twice, /r\.yaml:4: an allocation has the grid of each tensor; leave out --bits 3/);
  for (const method of ["damage", "even"]) {
    const open = await messageOf("solver: gptq", `allocate: { method: ${method} }\n`);
    assert.match(open, /^2 faults: .* r\.yaml:6: allocate chooses .* nothing says how many in all; give it bits-per-weight or/);
  }
  const coded = await messageOf("solver: gptq, embeddings: 4", "allocate: { method: damage, size: 1MB }\n");
  assert.match(
    coded,
    /r\.yaml:6: allocate counts embedding and head in its size .* give allocate bits-per-weight instead of size/,
  );
  const like = await messageOf("solver: gptq, embeddings: on", "allocate: { method: damage, bits-per-weight: 3 }\n");
  assert.match(like, /r\.yaml:4: --embeddings on .* which an allocation gives different bits; give it bits/);
  const left = await messageOf("solver: gptq, embeddings: off", "allocate: { method: damage, size: 1MB }\n");
  assert.not.match(left, /embeddings/);
  const patterned = await messageOf('solver: wanda, pattern: "2:4"', "allocate: { method: owl }\n");
  assert.match(
    patterned,
    /^2 faults: .* r\.yaml:4: an allocation lets blocks or tensors differ .* a pattern is the same everywhere/,
  );
  assert.equal((await readdir(root)).sort(), ["corpus", "evaluation", "model"]);
});

test("layers that a stage could not take are refused before anything runs, with the line", async ({ root, recipe }) => {
  const asked: unknown[] = [];
  const stages = fakeStages();
  const checkPlan = (_options: unknown, planned: unknown): Promise<void> => {
    asked.push(planned);
    return Promise.reject(new FailedPreconditionError("it cannot hold that; take another", { tensor: "w" }));
  };
  const checking = new Map([...stages, ["assemble", { ...stageOf(stages, "assemble"), checkPlan }]]);
  const text = `model: ${join(root, "model")}\ncorpus: ${join(root, "corpus")}\ncompress:\n  solver: wanda\nassemble:\n  format: gptq\noutput: ${join(root, "out")}\n`;
  const error = await failure(go(parseRecipe(text, "r.yaml"), { stages: checking }));
  assert.instance(error, FailedPreconditionError);
  assert.is((error as Error).message, "r.yaml:6: it cannot hold that; take another");
  assert.equal((error as FailedPreconditionError).facts, { tensor: "w" });
  assert.equal((await readdir(root)).sort(), ["corpus", "evaluation", "model"]);
  const rounding = { solver: "gptq" };
  await failure(go(recipe({ compress: rounding }), { stages: checking }));
  await failure(go(recipe({ compress: rounding, factor: { order: "activation" } }), { stages: checking }));
  const grid = { kind: "groups", bits: 4, groupSize: 128, zeroPoints: "middle" };
  assert.equal(asked, [
    { solver: "wanda", codes: "none" },
    { solver: "gptq", codes: { grid, scattered: false } },
    { solver: "gptq", codes: { grid, scattered: true } },
  ]);
});

test("what the recipe leaves open follows the format, and the run says all of it in one line", async ({ root, recipe }) => {
  const stages = fakeStages();
  for (const [index, [given, wants, line, recorded]] of (
    [
      [
        { bits: 3 },
        "any",
        ", symmetric: false, qep: 0.5, which the recipe leaves to solver gptq",
        { symmetric: false, qep: 0.5 },
      ],
      [
        { bits: 3 },
        "from-one",
        ", symmetric: false, min-zero-point: 1, qep: 0.5, which the recipe leaves to solver gptq and format gptq",
        { symmetric: false, minZeroPoint: 1, qep: 0.5 },
      ],
      [
        { bits: 2, qep: 0 },
        "middle",
        ", symmetric: true, which the recipe leaves to solver gptq and format gptq",
        { symmetric: true, qep: 0 },
      ],
      [{ qep: 0.25 }, "any", ", symmetric: true, which the recipe leaves to solver gptq", { symmetric: true, qep: 0.25 }],
      [
        { bits: 3, symmetric: true },
        "from-one",
        ", qep: 0.5, which the recipe leaves to solver gptq and format gptq",
        { symmetric: true, qep: 0.5 },
      ],
      [
        { bits: 3, symmetric: false, minZeroPoint: 0, qep: 0 },
        "from-one",
        ", which the recipe leaves to solver gptq and format gptq",
        { symmetric: false, minZeroPoint: 0, qep: 0 },
      ],
    ] as const
  ).entries()) {
    const asked: unknown[] = [];
    const holds = (options: unknown) => {
      asked.push(options);
      return Promise.resolve([{ kind: "groups", bits: [4], zeroPoints: wants } as const]);
    };
    const assemble = { ...stageOf(stages, "assemble"), holds };
    const notes: string[] = [];
    const output = join(root, `out-${index}`);
    const format = wants === "any" ? {} : { format: "gptq" };
    await go(recipe({ compress: { solver: "gptq", ...given }, assemble: format, output }), {
      stages: new Map([...stages, ["assemble", assemble]]),
      note: (note) => notes.push(note),
    });
    const bits = !("bits" in given) ? "bits: 4, " : "";
    const rest = "group-size: 128, search: hessian, grid-rule: reference, block-size: 128, sweeps: 4";
    assert.equal(notes, [`compress takes ${bits}${rest}${line}`]);
    assert.equal(asked, [format]);
    const { compress } = parseRecipe(await readFile(join(output, "recipe.yaml"), "utf8"), "recipe.yaml");
    const { bits: _, solver: __, sparsity: ___, withoutFactors: ____, ...grid } = compress;
    assert.equal(grid, recorded);
  }
});

test("grids follow the types that a GGUF format writes, unless the recipe gives them", async ({ root, recipe }) => {
  const stages = fakeStages();
  const assemble = {
    ...stageOf(stages, "assemble"),
    holds: () => Promise.resolve([{ kind: "blocks", types: [], typeMix: "Q4_K_M" } as const]),
  };
  for (const [index, [given, taken, order]] of (
    [
      [{}, { typeMix: "Q4_K_M", qep: 0.5 }, "group-aware:256"],
      [{ grid: "Q2_K", qep: 0 }, { grid: "Q2_K", qep: 0 }, "group-aware:256"],
      // neighbours are decided together
      [{ grid: "IQ3_S", qep: 0 }, { grid: "IQ3_S", qep: 0 }, "natural"],
      [{ groupSize: 32, qep: 0 }, { groupSize: 32, symmetric: true, qep: 0 }, "group-aware:32"],
    ] as const
  ).entries()) {
    const notes: string[] = [];
    const output = join(root, `gguf-${index}`);
    await go(recipe({ compress: { solver: "gptq", ...given }, assemble: { format: "gguf" }, output }), {
      stages: new Map([...stages, ["assemble", assemble]]),
      note: (note) => notes.push(note),
    });
    const { compress, factor } = parseRecipe(await readFile(join(output, "recipe.yaml"), "utf8"), "recipe.yaml");
    const { solver: _, sparsity: __, withoutFactors: ___, ...options } = compress;
    assert.equal(options, taken);
    assert.is(factor["order"], order);
    assert.is(/group-size|bits/.test(notes.join()), "groupSize" in given);
  }
});

test("options that a stage would refuse are refused before anything is deleted, with the line", async ({ root }) => {
  const stages = fakeStages();
  const refusing = (name: string, option: string): [string, Stage] => [
    name,
    { ...stageOf(stages, name), checkPlan: () => Promise.reject(new UsageError("it is not there; take another", { option })) },
  ];
  const text = `model: ${join(root, "model")}\ncorpus: ${join(root, "corpus")}\nsample:\n  seed: 1\n  mix: only:zh\ncompress:\n  solver: wanda\nevaluate:\n  corpus: ${join(root, "corpus")}\n  labels: [a, a]\noutput: ${join(root, "out")}\n`;
  await go(parseRecipe(text, "r.yaml"));
  const before = await snapshot(join(root, "out"));
  for (const [name, option, line] of [
    ["sample", "--mix", 5],
    ["evaluate", "--labels", 10],
  ] as const) {
    const options = { stages: new Map([...stages, refusing(name, option)]), force: true };
    const error = await failure(go(parseRecipe(text, "r.yaml"), options));
    assert.instance(error, UsageError);
    assert.is((error as Error).message, `r.yaml:${line}: it is not there; take another`);
  }
  assert.equal(await snapshot(join(root, "out")), before);
});

test("what the solver would refuse is refused before anything runs", async ({ root }) => {
  for (const [compress, message] of [
    ["solver: wanda\n  pattern: 4-2", /^r\.yaml:5: --pattern takes N:M/],
    [
      "solver: sparsegpt\nfactor:\n  order: activation",
      /^r\.yaml:4: sparsegpt prunes neighbours, .*; factor with --order natural$/,
    ],
    [
      "solver: gptq\nfactor:\n  order: group-aware:64",
      /^r\.yaml:4: .* splits groups of 128; factor with --order group-aware:128$/,
    ],
  ] as const) {
    const text = `model: ${join(root, "model")}\ncorpus: ${join(root, "corpus")}\ncompress:\n  ${compress}\noutput: ${join(root, "out")}\n`;
    const error = await failure(go(parseRecipe(text, "r.yaml")));
    assert.instance(error, UsageError);
    assert.match((error as Error).message, message);
  }
  assert.equal((await readdir(root)).sort(), ["corpus", "evaluation", "model"]);
});

test("a third-party solver that fails when it is asked for its codes is named in the error", async ({ root, recipe }) => {
  const solver = join(root, "mine.mjs");
  const throwing = `plannedCodes() { throw Object.assign(new Error("gone"), { code: "EPIPE" }); }`;
  await writeFile(
    solver,
    `export default { name: "mine", source: "s", summary: "s", needs: [], options: {}, solve() {}, ${throwing} };`,
  );
  const error = await failure(go(recipe({ compress: { solver } })));
  assert.instance(error, InternalError);
  assert.match((error as Error).message, /^solver mine failed when asked for its plannedCodes: gone; fix it/);
});

test("held-out texts that are not there are missed before anything runs", async ({ root, recipe }) => {
  const started: string[] = [];
  const evaluate = { corpus: join(root, "nowhere") };
  assert.ok(await failure(go(recipe({ evaluate }), { stages: fakeStages((name) => started.push(name)) })));
  assert.equal(started, []);
});

test.run();
