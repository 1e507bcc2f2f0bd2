import { UsageError, type AllocationNeeds, type HeldBlocks, type Stage, type StageOptions } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { allocationFaults } from "../src/plan/allocation-faults.ts";
import { withAllocationNeeds } from "../src/plan/allocated-grids.ts";
import { recipeFrom } from "../src/recipe/parse-recipe.ts";
import { planRun } from "../src/plan/plan.ts";
import { decide, decideAsGiven } from "../src/plan/decide.ts";
import type { ModelOutline, PlanNode } from "../src/plan/nodes/plan-node.ts";
import { stageOf, type Stages } from "../src/plan/known-stages.ts";
import { fakeStages } from "./fixtures/fake-stages.ts";

/** Rows and width of each site. */
function outlineOf(sites: Readonly<Record<string, readonly [rows: number, width: number]>>): ModelOutline {
  const described = Object.entries(sites).map(([name, [rows, width]]) => ({ name, width, weights: [{ rows }] }));
  return {
    blocks: ["h.0", "h.1"].map((name) => ({ name, sites: described })),
    siteRounds: () => described.map(({ name }) => [name]),
  };
}

const outline = outlineOf({ qkv: [96, 32], mlp: [32, 128] });

const withExperts: ModelOutline = { ...outline, siteRounds: () => [["qkv"], ["expert-0", "expert-1", "expert-2"]] };

/** The needs of the methods that the plans below name. */
const needs: Readonly<Record<string, AllocationNeeds>> = {
  owl: { chooses: "sparsity", statistics: "diagonal", segments: false },
  uniform: { chooses: "sparsity", statistics: "diagonal", segments: false },
  correlation: { chooses: "sparsity", statistics: "diagonal", segments: false },
  damage: { chooses: "bits", statistics: "gram", segments: true },
  "pruning-damage": { chooses: "sparsity", statistics: "diagonal", segments: true },
  even: { chooses: "bits", statistics: "none", segments: false },
};

const allocationNeeds = async ({ method }: StageOptions) => needs[String(method)];

const allocating = new Map([["allocate", { allocationNeeds } as unknown as Stage]]);

async function nodesOf(
  changes: Readonly<Record<string, unknown>>,
  of = outline,
  stages: Stages = allocating,
): Promise<readonly PlanNode[]> {
  const recipe = recipeFrom({ model: "m", corpus: "c", compress: { solver: "wanda", sparsity: 0.6 }, output: "out", ...changes });
  const complete = await withAllocationNeeds(recipe, stages);
  return planRun(await decideAsGiven(complete, stages, of), of, "out/model").nodes;
}

const ids = (nodes: readonly PlanNode[]): readonly string[] => nodes.map(({ id }) => id);

test("a dense plan allocates from the factors that it compresses from", async () => {
  const nodes = await nodesOf({ propagation: "dense", allocate: { method: "correlation", spread: 0.1 } });
  assert.equal(ids(nodes), ["sample", "capture", "factor", "allocate", "compress", "assemble"]);
  const [, , factor, allocate, compress] = nodes;
  assert.ok(factor && allocate && compress);
  assert.is(factor.options["languageDiagonals"], true);
  assert.equal(allocate.options, { model: "m", method: "correlation", spread: 0.1, sparsity: 0.6, allowNonfinite: undefined });
  assert.equal(compress.inputs, { factors: ["factor"], allocation: ["allocate"] });
});

test("an allocation spreads the solver's default sparsity where the recipe gives none", async () => {
  const nodes = await nodesOf({ propagation: "dense", allocate: { method: "uniform" }, compress: { solver: "wanda" } });
  const of = (stage: string) => nodes.find((node) => node.stage === stage)?.options["sparsity"];
  assert.equal([of("allocate"), of("compress")], [0.5, 0.5]);
});

/** Options of `allocate` in the plan of a recipe. */
const allocateOf = async (changes: Readonly<Record<string, unknown>>, stacks: "decoder" | "encoder" = "decoder") => {
  const recipe = recipeFrom({ model: "m", corpus: "c", output: "out", ...changes });
  const given = await withAllocationNeeds(recipe, allocating);
  const { nodes } = planRun(await decide(given, allocating, { ...outline, stacks }), outline, "out/model");
  return nodes.find(({ stage }) => stage === "allocate")?.options;
};

test("alps and sparsegpt with QEP spread the sparsity of a decoder by damage where the recipe does not say how", async () => {
  for (const solver of ["alps", "sparsegpt"]) {
    const compress = { solver, sparsity: 0.6 };
    const chosen = await allocateOf({ compress });
    assert.equal([chosen?.["method"], chosen?.["sparsity"]], ["pruning-damage", 0.6], solver);
    assert.is((await allocateOf({ compress: { solver } }))?.["sparsity"], 0.5);
    assert.is((await allocateOf({ compress, allocate: { method: "owl" } }))?.["method"], "owl");
    for (const changes of [
      { compress, allocate: { method: "uniform" } },
      { compress: { ...compress, qep: 0 } },
      { compress, propagation: "dense" },
      { compress: { solver, pattern: "2:4" } },
      { compress: { solver, sparsity: 0 } },
      { compress: { solver: "wanda", sparsity: 0.5 } },
    ]) {
      assert.is(await allocateOf(changes), undefined, JSON.stringify(changes));
    }
    assert.is(await allocateOf({ compress }, "encoder"), undefined);
  }
});

test("where blocks follow each other, one dense capture allocates for all of them", async () => {
  for (const [propagation, compressed] of [
    ["sequential", ["compress.h.0", "compress.h.1"]],
    ["true-sequential", ["compress.h.0.qkv", "compress.h.0.mlp", "compress.h.1.qkv", "compress.h.1.mlp"]],
  ] as const) {
    const nodes = await nodesOf({ propagation, allocate: { method: "owl" }, capture: { mix: "en=1" } });
    assert.equal(ids(nodes).slice(0, 4), ["sample", "capture.allocate", "factor.allocate", "allocate"]);
    const [, capture, factor] = nodes;
    assert.ok(capture && factor);
    assert.equal(capture.options, { model: "m", mix: "en=1", statistics: "diagonal" });
    assert.equal(capture.inputs, { source: ["sample"] });
    assert.is(factor.options["upper"], "off");
    const readers = nodes.filter(({ inputs }) => inputs["allocation"]?.[0] === "allocate");
    assert.equal(ids(readers), compressed);
  }
});

test("bits are allocated from Grams of each language of the dense model, on the grids that compress is going to have", async () => {
  const allocate = { method: "damage", bitsPerWeight: 3.2 };
  const compress = { solver: "gptq", groupSize: 64 };
  const dense = await nodesOf({ propagation: "dense", allocate, compress });
  assert.equal(ids(dense), ["sample", "capture", "factor", "allocate", "compress", "assemble"]);
  const given = dense.find(({ id }) => id === "allocate");
  assert.ok(given);
  assert.equal(given.inputs, { factors: ["factor"], statistics: ["capture"], segments: ["sample"] });
  assert.equal(given.options["groupSize"], 64);
  assert.equal(
    ["sparsity", "symmetric"].map((name) => given.options[name]),
    [undefined, undefined],
  );
  assert.equal(
    ["bits", "symmetric"].map((name) => optionsOf(dense, "compress")[name]),
    [undefined, undefined],
  );
  const nodes = await nodesOf({ allocate, compress });
  assert.equal(ids(nodes).slice(0, 4), ["sample", "capture.allocate", "factor.allocate", "allocate"]);
  const [, capture, factor, chosen] = nodes;
  assert.equal([capture?.options["statistics"], capture?.options["grams"]], ["gram", "languages"]);
  assert.is(factor?.options["upper"], undefined);
  assert.equal(chosen?.inputs["statistics"], ["capture.allocate"]);
  assert.is(optionsOf(nodes, "compress")["qep"], 0.5);
});

test("pruning-damage is of the sparsity of a solver that prunes, by diagonals and texts", async () => {
  for (const solver of ["wanda", "sparsegpt"]) {
    const nodes = await nodesOf({ allocate: { method: "pruning-damage" }, compress: { solver } });
    const [, capture, , damage] = nodes;
    assert.equal([capture?.id, capture?.options["statistics"]], ["capture.allocate", "diagonal"]);
    assert.equal(damage?.inputs, { factors: ["factor.allocate"], segments: ["sample"] });
    assert.equal([damage?.options["sparsity"], damage?.options["groupSize"]], [0.5, undefined]);
    assert.is(optionsOf(nodes, "compress")["sparsity"], 0.5);
  }
});

test("a method that reads no statistics allocates from the model alone, and nothing is captured for it", async () => {
  const allocate = { method: "even", bitsPerWeight: 3.2 };
  for (const propagation of ["dense", "true-sequential"]) {
    const nodes = await nodesOf({ propagation, allocate, compress: { solver: "gptq", groupSize: 64 } });
    const even = nodes.find(({ id }) => id === "allocate");
    assert.equal([even?.inputs, even?.options["withoutFactors"], even?.options["groupSize"]], [{}, true, 64]);
    assert.not.ok(ids(nodes).some((id) => id.endsWith(".allocate")));
  }
});

const ofBlocks: HeldBlocks = { kind: "blocks", types: ["Q2_K", "Q8_0"], allocated: ["Q2_K", "Q8_0"], typeMix: "Q3_K_M" };
const holds = () => Promise.resolve([ofBlocks]);

test("a format of GGUF lets an allocation choose between types, and the solver has no grid of its own", async () => {
  const withHead = { ...outline, embeddings: { name: "embeddings", sites: [] } };
  const stages = new Map([...allocating, ["assemble", { ...stageOf(fakeStages(), "assemble"), holds }]]);
  const given = { allocate: { method: "damage", bitsPerWeight: 4 }, compress: { solver: "gptq" }, assemble: { format: "gguf" } };
  const nodes = await nodesOf(given, withHead, stages);
  const { types, typeMix, groupSize } = optionsOf(nodes, "allocate");
  assert.equal([types, typeMix, groupSize], [["Q2_K", "Q8_0"], "Q3_K_M", undefined]);
  const orderOf = async (changes: object): Promise<unknown> =>
    optionsOf(await nodesOf({ ...given, ...changes }, withHead, stages), "factor")["order"];
  assert.is(await orderOf({}), "group-aware:256");
  assert.is(await orderOf({ allocate: { ...given.allocate, types: ["Q2_K", "IQ3_XXS"] } }), "natural");
  assert.is(await orderOf({ propagation: "sequential", compress: { solver: "gptq", embeddings: "IQ3_S" } }), "natural");
  const refused = await orderOf({
    compress: { solver: "gptq", embeddings: "IQ3_S" },
    factor: { order: "activation" },
  }).catch((error: unknown) => error);
  assert.instance(refused, UsageError);
  assert.match(String(refused), /types with a codebook \(IQ2, IQ3\) .* leave out order of factor/);
  const { qep, ...others } = optionsOf(nodes, "compress");
  assert.equal([qep, Object.keys(others)], [0.5, ["model", "solver"]]);
  const ofEmbeddings = (
    await nodesOf(
      { ...given, propagation: "sequential", compress: { solver: "gptq", embeddings: "on", qep: 0 } },
      withHead,
      stages,
    )
  ).find(({ id }) => id === "compress.embeddings");
  assert.equal(ofEmbeddings?.inputs, { factors: ["factor.embeddings"], allocation: ["allocate"] });
});

/** What is wrong with an allocation of types beside options of compress. */
const faults = async (compress: StageOptions, typeMix = "Q3_K_M", allocate: StageOptions = { bitsPerWeight: 4 }) => {
  const held: HeldBlocks = { ...ofBlocks, typeMix };
  const assemble = { ...stageOf(fakeStages(), "assemble"), holds: () => Promise.resolve([held]) };
  const stages = new Map([...allocating, ["assemble", assemble]]);
  const given = { model: "m", corpus: "c", output: "out", assemble: { format: "gguf" } };
  const recipe = recipeFrom({
    ...given,
    compress: { solver: "gptq", ...compress },
    allocate: { method: "damage", ...allocate },
  });
  const found = await allocationFaults(await withAllocationNeeds(recipe, stages), stages);
  return found.map(({ message }) => message).join();
};

test("what does not go with an allocation of types is refused with the remedy", async () => {
  assert.match(await faults({ groupSize: 64 }), /an allocation has the grid of each tensor; leave out --group-size 64/);
  assert.match(await faults({ staticGroups: true }), /leave out --static-groups true/);
  assert.match(await faults({ embeddings: 4 }), /4 gives embedding and head groups, .* take on, or a type such as Q6_K/);
  assert.match(await faults({ embeddings: "on" }, "F16"), /on takes the types of F16, .* round nothing; .* such as Q4_K_M/);
  assert.match(await faults({ solver: "awq" }), /of GGUF types needs a solver that rounds to them, and awq does not; take gptq/);
  const size = { size: "1GB" };
  // the size counts them in this type
  assert.is(await faults({ embeddings: "Q6_K" }, "Q3_K_M", size), "");
  assert.is(await faults({ embeddings: "Q6_K" }), "");
  assert.is(await faults({ embeddings: "on" }, "Q3_K_M", size), "");
});

test("models beside the run's own are scored with it, under their labels", async () => {
  const nodes = await nodesOf({ compress: { solver: "gptq" }, evaluate: { corpus: "e" }, beside: { other: "o/model.gguf" } });
  const scored = nodes.filter(({ stage }) => stage === "evaluate");
  assert.equal(
    scored.map(({ options }) => options["labels"]),
    [["dense", "compressed", "other"]],
  );
  assert.equal(
    scored.map(({ options }) => (options["model"] as string[]).at(-1)),
    ["o/model.gguf"],
  );
});

test("the distribution that a sample follows weighs the evaluation, unless that names another one", async () => {
  const sample = { distribution: "bloom" };
  const shares = async (evaluate: object) => optionsOf(await nodesOf({ sample, evaluate }), "evaluate")["shares"];
  assert.is(await shares({ corpus: "v" }), "bloom");
  assert.is(await shares({ corpus: "v", shares: "xglm" }), "xglm");
  assert.is(optionsOf(await nodesOf({ evaluate: { corpus: "v" } }), "evaluate")["shares"], undefined);
});

test("each shard has its own states and captures, whose statistics are added before they are used", async () => {
  const nodes = await nodesOf({ propagation: "true-sequential", shards: 2, compress: { solver: "gptq", qep: 0 } });
  assert.equal(
    nodes.slice(0, 9).map(({ id, options, inputs, affinity }) => [id, options["shard"], Object.values(inputs).flat(), affinity]),
    [
      ["sample", undefined, [], undefined],
      ["propagate.embedding.shard-1", "1/2", ["sample"], undefined],
      ["propagate.embedding.shard-2", "2/2", ["sample"], undefined],
      ["capture.h.0.qkv.shard-1", undefined, ["propagate.embedding.shard-1"], undefined],
      ["capture.h.0.qkv.shard-2", undefined, ["propagate.embedding.shard-2"], undefined],
      ["add.h.0.qkv", undefined, ["capture.h.0.qkv.shard-1", "capture.h.0.qkv.shard-2"], undefined],
      ["factor.h.0.qkv", undefined, ["add.h.0.qkv"], "add.h.0.qkv"],
      ["compress.h.0.qkv", undefined, ["factor.h.0.qkv"], "factor.h.0.qkv"],
      ["capture.h.0.mlp.shard-1", undefined, ["propagate.embedding.shard-1", "compress.h.0.qkv"], "capture.h.0.qkv.shard-1"],
    ],
  );
  const propagate = nodes.find(({ id }) => id === "propagate.h.0.shard-2");
  assert.is(propagate?.affinity, "capture.h.0.mlp.shard-2");
  assert.equal(propagate?.inputs, {
    source: ["propagate.embedding.shard-2"],
    layers: ["compress.h.0.qkv", "compress.h.0.mlp"],
  });
});

const rounds = (nodes: readonly PlanNode[]) =>
  nodes
    .filter(({ stage, id }) => ["compress", "join-layers"].includes(stage) && id.includes("h.0"))
    .map(({ id, options, inputs, isPart, affinity }) => [id, options["rows"], Object.values(inputs).flat(), isPart, affinity]);

test("large sites are compressed in shards of rows, by a solver whose rows are independent", async () => {
  const large = outlineOf({ qkv: [12288, 4096], output: [256, 4096] });
  const changes = { propagation: "true-sequential", shards: 3 };
  assert.equal(rounds(await nodesOf({ ...changes, compress: { solver: "gptq" } }, large)), [
    ["compress.h.0.qkv.rows-1", "1/3", ["factor.h.0.qkv"], true, "factor.h.0.qkv"],
    ["compress.h.0.qkv.rows-2", "2/3", ["factor.h.0.qkv"], true, undefined],
    ["compress.h.0.qkv.rows-3", "3/3", ["factor.h.0.qkv"], true, undefined],
    [
      "join-layers.h.0.qkv",
      undefined,
      ["compress.h.0.qkv.rows-1", "compress.h.0.qkv.rows-2", "compress.h.0.qkv.rows-3"],
      undefined,
      undefined,
    ],
    ["compress.h.0.output", undefined, ["factor.h.0.output"], undefined, "factor.h.0.output"],
  ]);
  for (const solver of ["sparsegpt", "gptaq"]) {
    const whole = rounds(await nodesOf({ ...changes, compress: { solver } }, large));
    assert.equal(whole.length, 2, solver);
  }
});

test("with dense propagation shards of the blocks are factored and compressed apart, unless an allocation looks at all", async () => {
  const dense = { propagation: "dense", shards: 5 };
  const nodes = await nodesOf({ ...dense, compress: { solver: "gptq" } });
  assert.equal(
    nodes.slice(-5).map(({ id, options, inputs }) => [id, options["blocks"], Object.values(inputs).flat()]),
    [
      ["factor.blocks-1", "1/2", ["add"]],
      ["compress.blocks-1", undefined, ["factor.blocks-1"]],
      ["factor.blocks-2", "2/2", ["add"]],
      ["compress.blocks-2", undefined, ["factor.blocks-2"]],
      ["assemble", undefined, ["compress.blocks-1", "compress.blocks-2"]],
    ],
  );
  const allocated = await nodesOf({ ...dense, allocate: { method: "owl" } });
  assert.equal(ids(allocated).slice(-5), ["add", "factor", "allocate", "compress", "assemble"]);
});

test("windows are evaluated in shards, at most eight", async () => {
  const evaluate = { corpus: "v" };
  const nodes = await nodesOf({ shards: 20, evaluate });
  const parts = nodes.filter(({ stage }) => stage === "evaluate");
  assert.equal([parts.length, parts.at(-1)?.options["shard"], parts.at(-1)?.isPart], [8, "8/8", true]);
  const [joined] = nodes.slice(-1);
  assert.equal([joined?.id, joined?.result, joined?.inputs["scores"]], ["join-scores", "scores.arrow", ids(parts)]);
  assert.is((await nodesOf({ evaluate })).at(-1)?.id, "evaluate");
});

test("many shards are added in a tree of eight at a time, and an own stage reads their sum", async () => {
  const nodes = await nodesOf({
    propagation: "dense",
    shards: 17,
    stages: { seen: { stage: "similarity", inputs: { statistics: "capture" } } },
  });
  const sums = nodes.filter(({ stage }) => stage === "add");
  assert.equal(
    sums.map(({ id, inputs }) => [id, inputs["statistics"]?.length]),
    [
      ["add.17-1", 8],
      ["add.17-2", 8],
      ["add", 3],
    ],
  );
  assert.equal(sums.at(-1)?.inputs["statistics"], ["add.17-1", "add.17-2", "capture.shard-17"]);
  assert.equal(nodes.find(({ id }) => id === "capture.shard-3")?.options["shard"], "3/17");
  assert.equal(nodes.find(({ id }) => id === "seen")?.inputs, { statistics: ["add"] });
});

test("true-sequential captures the sites of a round at once, with the layers of the rounds before", async () => {
  const nodes = await nodesOf({ propagation: "true-sequential" }, withExperts);
  const captures = nodes.filter(({ stage }) => stage === "capture");
  assert.equal(
    captures.map(({ id, options, inputs }) => [id, options["site"], inputs["layers"]]),
    [
      ["capture.h.0.qkv", ["qkv"], undefined],
      ["capture.h.0.expert-0+2", ["expert-0", "expert-1", "expert-2"], ["compress.h.0.qkv"]],
      ["capture.h.1.qkv", ["qkv"], undefined],
      ["capture.h.1.expert-0+2", ["expert-0", "expert-1", "expert-2"], ["compress.h.1.qkv"]],
    ],
  );
  const propagate = nodes.find(({ id }) => id === "propagate.h.0");
  assert.equal(propagate?.inputs["layers"], ["compress.h.0.qkv", "compress.h.0.expert-0+2"]);
});

test("a run asks for Grams of the mix, and for those of each language where another mix may come", async () => {
  const compress = { solver: "gptq", bits: 4 };
  const [mix, other] = ["en=1,mr=2", "en=1"];
  for (const [given, expected] of [
    [{}, { grams: "pooled" }],
    [{ propagation: "sequential" }, { grams: "pooled" }],
    [{ factor: { mix } }, { grams: "pooled", mix }],
    [{ capture: { mix } }, { grams: "pooled", mix }],
    [{ capture: { grams: "languages" } }, { grams: "languages" }],
    [{ propagation: "dense" }, {}],
    [{ keep: true }, {}],
    [{ capture: { mix: other }, factor: { mix } }, { mix: other }],
    [
      { propagation: "dense", capture: { grams: "pooled" }, factor: { mix } },
      { grams: "pooled", mix },
    ],
    [
      { keep: true, capture: { grams: "pooled", mix: "en=2,mr=4" }, factor: { mix } },
      { grams: "pooled", mix: "en=2,mr=4" },
    ],
    [{ capture: { grams: "languages" }, factor: { mix } }, { grams: "languages" }],
  ] as const) {
    const { model: _, site: __, normaliseTokens, ...options } = optionsOf(await nodesOf({ compress, ...given }), "capture");
    assert.equal(options, expected, JSON.stringify(given));
    assert.is(normaliseTokens, true);
  }
});

test("tokens are normalised where the solver prefers it, and neither the recipe nor a reader of the statistics wants them as they are", async () => {
  const reader = { stage: "imatrix", inputs: { statistics: "capture" }, options: { model: "m" } };
  for (const [given, expected] of [
    [{ compress: { solver: "gptq" } }, true],
    [{ compress: { solver: "gptq" }, capture: { normaliseTokens: false } }, false],
    [{ compress: { solver: "gptq" }, propagation: "dense", stages: { imatrix: reader } }, undefined],
    [{ compress: { solver: "wanda" } }, undefined],
    [{ compress: { solver: "wanda" }, capture: { normaliseTokens: true } }, true],
  ] as const) {
    assert.is(optionsOf(await nodesOf(given), "capture")["normaliseTokens"], expected, JSON.stringify(given));
  }
});

test("a mix of factor that is not that of the pooled Grams is refused before anything runs", async () => {
  const capture = { grams: "pooled", mix: "en=1,mr=2" };
  for (const propagation of ["dense", "sequential"]) {
    const planned = nodesOf({ compress: { solver: "gptq", bits: 4 }, propagation, capture, factor: { mix: "en=1,mr=1" } });
    const error = await planned.then(String, (thrown: unknown) => thrown);
    assert.instance(error, UsageError);
    assert.match(String(error), "factor takes another mix than capture, which pools the Grams in its own");
  }
});

test("factor is asked for diagonals of languages by the solver that reads them, and by no other", async () => {
  for (const [solver, expected] of [
    ["m-wanda", true],
    ["wanda", undefined],
  ] as const) {
    const nodes = await nodesOf({ compress: { solver, sparsity: 0.6 } });
    assert.is(nodes.find(({ stage }) => stage === "factor")?.options["languageDiagonals"], expected, solver);
  }
});

const optionsOf = (nodes: readonly PlanNode[], stage: string) => nodes.find((node) => node.stage === stage)?.options ?? {};

test("a plan computes the statistics that its solver needs, unless the recipe says otherwise", async () => {
  for (const [solver, statistics, upper] of [
    ["wanda", "diagonal", "off"],
    ["m-wanda", "diagonal", "off"],
    ["awq", undefined, "off"],
    ["sparsegpt", undefined, undefined],
    ["gptq", undefined, undefined],
  ] as const) {
    const nodes = await nodesOf({ compress: { solver } });
    assert.is(optionsOf(nodes, "capture")["statistics"], statistics, solver);
    assert.is(optionsOf(nodes, "factor")["upper"], upper, solver);
  }
  const asked = await nodesOf({ capture: { statistics: "gram" }, factor: { upper: "on" } });
  assert.is(optionsOf(asked, "capture")["statistics"], "gram");
  assert.is(optionsOf(asked, "factor")["upper"], "on");
  const read = await nodesOf({ stages: { compared: { stage: "similarity", inputs: { statistics: "capture" } } } });
  assert.is(optionsOf(read, "capture")["statistics"], undefined, "an entry of stages gets what it always got");
  assert.is(optionsOf(read, "factor")["upper"], undefined);
});

test("a solver that needs no statistics gets none: the model runs only for what else is asked for", async () => {
  for (const propagation of ["sequential", "dense", "true-sequential"]) {
    for (const compress of [{ solver: "rtn" }, { solver: "magnitude" }]) {
      const nodes = await nodesOf({ propagation, compress });
      assert.equal(ids(nodes), ["sample", "compress", "assemble"]);
      assert.is(optionsOf(nodes, "compress")["withoutFactors"], true);
      assert.equal(nodes[1]?.inputs, {});
    }
    const compared = await nodesOf({ propagation, compress: { solver: "rtn" }, similarity: true });
    assert.equal(ids(compared), ["sample", "propagate.embedding", "capture.h.0.input", "similarity", "compress", "assemble"]);
    const allocated = await nodesOf({ propagation, compress: { solver: "magnitude" }, allocate: { method: "owl" } });
    const before = ["capture.allocate", "factor.allocate", "allocate"];
    assert.equal(ids(allocated), ["sample", ...before, "compress", "assemble"]);
    assert.equal(allocated.find(({ id }) => id === "compress")?.inputs, { allocation: ["allocate"] });
  }
});

test("a solver that needs no statistics gets them where the recipe or an entry of stages wants them", async () => {
  const whole = ["sample", "capture", "factor", "compress", "assemble"];
  const asked = await nodesOf({ propagation: "dense", compress: { solver: "rtn", withoutFactors: false } });
  assert.equal(ids(asked), whole);
  for (const key of ["capture", "factor"]) {
    const stages = { own: { stage: "./mine.js", inputs: { given: key } } };
    const nodes = await nodesOf({ propagation: "dense", compress: { solver: "rtn" }, stages });
    assert.equal(ids(nodes), [...whole, "own"]);
    assert.is(optionsOf(nodes, "capture")["statistics"], undefined);
  }
  const sampled = { own: { stage: "./mine.js", inputs: { given: "sample" } } };
  const without = await nodesOf({ compress: { solver: "rtn" }, stages: sampled });
  assert.equal(ids(without), ["sample", "compress", "assemble", "own"]);
});

async function orderOf(factor: object): Promise<unknown> {
  const nodes = await nodesOf({ compress: { solver: "gptq", bits: 3, groupSize: 64 }, factor });
  return nodes.find(({ stage }) => stage === "factor")?.options["order"];
}

test("what capture may pass over, every node that runs the model may", async () => {
  const capture = { allowNonfinite: true };
  for (const propagation of ["sequential", "true-sequential"]) {
    const nodes = await nodesOf({ propagation, similarity: true, capture, compress: { solver: "gptaq", allowNonfinite: true } });
    const runners = nodes.filter(({ stage }) => stage === "capture" || stage === "propagate");
    assert.ok(runners.length > 4);
    for (const { id, options } of runners) assert.is(options["allowNonfinite"], true, id);
    assert.is(nodes.find(({ stage }) => stage === "assemble")?.options["allowNonfinite"], true);
  }
});

test("a solver's preferred order is taken where the recipe names none", async () => {
  assert.is(await orderOf({ order: "activation" }), "activation");
  assert.is(await orderOf({}), "group-aware:64");
});

const withEmbeddings: ModelOutline = {
  ...outline,
  embeddings: { name: "embeddings", sites: [{ name: "head", width: 32, weights: [{ rows: 1000 }] }] },
};

test("embedding and head come last, from the states after the last block and the tokens of the segments", async () => {
  const compress = { solver: "gptq", bits: 3, qep: 0, embeddings: 4 };
  const nodes = await nodesOf({ propagation: "sequential", compress }, withEmbeddings);
  assert.equal(
    nodes.slice(-5).map(({ id, inputs }) => [id, inputs]),
    [
      ["propagate.h.1", { source: ["propagate.h.0"], layers: ["compress.h.1"] }],
      ["capture.embeddings", { source: ["propagate.h.1"], segments: ["sample"] }],
      ["factor.embeddings", { statistics: ["capture.embeddings"] }],
      ["compress.embeddings", { factors: ["factor.embeddings"] }],
      ["assemble", { layers: ["compress.h.0", "compress.h.1", "compress.embeddings"] }],
    ],
  );
  const asked = nodes.filter(({ options }) => options["embeddings"] !== undefined);
  assert.equal(ids(asked), ["compress.embeddings"]);
  const off = await nodesOf({ propagation: "sequential", compress: { ...compress, embeddings: "off" } }, withEmbeddings);
  assert.is(
    off.some(({ id }) => id.includes("embeddings") || id === "propagate.h.1"),
    false,
  );
});

test("of the dense model embedding and head are captured with the blocks, and compressed in one shard of them", async () => {
  const compress = { solver: "gptq", bits: 3, embeddings: 4 };
  const nodes = await nodesOf({ propagation: "dense", shards: 2, compress }, withEmbeddings);
  assert.equal(
    nodes.filter(({ options }) => options["embeddings"] !== undefined).map(({ id, options }) => [id, options["embeddings"]]),
    [
      ["capture.shard-1", true],
      ["capture.shard-2", true],
      ["compress.blocks-1", 4],
    ],
  );
});

test("a model whose embedding and head stay as they are is refused, naming the key", async () => {
  try {
    await nodesOf({ compress: { solver: "gptq", embeddings: 4 } });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, UsageError);
    assert.match(String(error), "embedding and head of an ONNX model, an encoder or an encoder-decoder are not compressed");
  }
});

test.run();
