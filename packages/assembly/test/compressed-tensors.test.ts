import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { contentAddress, unpackFiles } from "@mbs/artifacts";
import { at, FailedPreconditionError } from "@mbs/contracts";
import type { HeldGroups } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkPackedLayer } from "../src/compressed-tensors/packed-tensors.ts";
import { checkGptqLayer } from "../src/gptq/gptq-tensors.ts";
import { assemble } from "../src/index.ts";
import type { QuantisedLayer } from "../src/layers/quantised-layer.ts";
import { plannedCodes } from "./fixtures/planned-codes.ts";
import { caseLayers, quietContext } from "./fixtures/quantised-model.ts";
import type { Rounding } from "./fixtures/quantised-model.ts";

const fixtures = fileURLToPath(new URL("../../models/test/fixtures/forward/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "compressed-tensors-test-"));
test.after(() => rm(root, { recursive: true }));

type Choose = (tensor: string) => Rounding | undefined;

interface Written {
  readonly quantization_config: {
    readonly config_groups: Readonly<Record<string, { weights: Readonly<Record<string, unknown>>; targets: readonly string[] }>>;
    readonly ignore: readonly string[];
  };
}

let count = 0;

async function write(source: string, rounding: Choose, format = "compressed-tensors", options: object = {}) {
  const model = await openModel(source);
  const warnings: string[] = [];
  try {
    const layers = [caseLayers(model, { rounding })];
    const context = { ...quietContext, warn: (message: string) => void warnings.push(message) };
    const { files } = await assemble.run({ layers }, { model: source, format, card: false, ...options }, context);
    const folder = join(root, String(count++));
    assert.ok(files);
    await unpackFiles(files, folder, { force: false });
    return { folder, warnings, config: JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Written };
  } finally {
    await model.close();
  }
}

async function refusal(source: string, rounding: Choose, more: object = {}): Promise<string> {
  const model = await openModel(source);
  try {
    const layers = [caseLayers(model, { rounding })];
    const options = { model: source, format: "compressed-tensors", ...more };
    const { files } = await assemble.run({ layers }, options, quietContext);
    assert.ok(files);
    await contentAddress(files);
    return "";
  } catch (error) {
    assert.instance(error, FailedPreconditionError, String(error));
    return (error as Error).message;
  } finally {
    await model.close();
  }
}

/** Every weight that solvers change, read back, is that of the dense folder. */
async function requireSame(packed: string, dense: string): Promise<void> {
  const [model, plain] = [await openModel(packed), await openModel(dense)];
  for (const { tensor } of model.blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights))) {
    assert.equal(await model.checkpoint.readF32(tensor), await plain.checkpoint.readF32(tensor), tensor);
  }
  await model.close();
  await plain.close();
}

/** As compressed-tensors 0.20 matches names: exactly, or by a regular expression from their start. */
const isNamed = (module: string, names: readonly string[]): boolean =>
  names.some((name) => (name.startsWith("re:") ? new RegExp(`^(?:${name.slice(3)})`).test(module) : name === module));

/** Encoder-decoders, transposed matrices, experts in one tensor. */
const notHeld = /^(umt5|mt5|t5|m2m|mbart|gpt2|gpt-oss)-|^gemma4.*-experts-/;

for (const name of (await readdir(fixtures)).filter((fixture) => !notHeld.test(fixture))) {
  test(`${name}: ignore names every matrix that stays dense, and no packed one`, async () => {
    const source = join(fixtures, name);
    const model = await openModel(source);
    const matrices = model.checkpoint
      .list()
      .filter(({ shape, name: tensor }) => shape.length === 2 && tensor.endsWith(".weight"));
    const embedding = model.kind === "architecture" ? model.layout.embedding : "";
    const changed = new Set(
      model.blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights.map(({ tensor }) => tensor))),
    );
    await model.close();
    const { config } = await write(source, () => ({ bits: 4, symmetric: true, groupSize: 0 }));
    const { ignore } = config.quantization_config;
    assert.ok(ignore.includes("lm_head"));
    for (const { name: tensor } of matrices) {
      if (tensor === embedding) continue;
      assert.is(isNamed(tensor.slice(0, -".weight".length), ignore), !changed.has(tensor), tensor);
    }
  });
}

const bloom = join(root, "bloom");
await writeTinyModel(bloom, { seed: 3, hiddenSize: 64, dtype: "f32" });
const bloomWeights = async () => {
  const model = await openModel(bloom);
  await model.close();
  return model.blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights));
};
const isMlp = (tensor: string): boolean => tensor.includes(".mlp.");

for (const [what, rounding, weights] of [
  [
    "bits",
    (tensor: string) => ({ bits: isMlp(tensor) ? 2 : 4, groupSize: 32, symmetric: true }),
    { num_bits: 4, symmetric: true, strategy: "group", group_size: 32 },
  ],
  [
    "bits of asymmetric grids",
    (tensor: string) => ({ bits: isMlp(tensor) ? 3 : 4, groupSize: 32, symmetric: false }),
    { num_bits: 4, symmetric: false, strategy: "group", group_size: 32 },
  ],
  [
    "group sizes",
    (tensor: string) => ({ bits: 4, groupSize: isMlp(tensor) ? 32 : 0, symmetric: true }),
    { num_bits: 4, symmetric: true, strategy: "group", group_size: 32 },
  ],
  [
    "symmetric and asymmetric grids",
    (tensor: string) => ({ bits: isMlp(tensor) ? 3 : 8, groupSize: 0, symmetric: isMlp(tensor) }),
    { num_bits: 8, symmetric: false, strategy: "channel", group_size: null },
  ],
] as const) {
  test(`layers of different ${what} are written on one grid, and stand for the same weights`, async () => {
    const { folder, config, warnings } = await write(bloom, rounding);
    const groups = Object.values(config.quantization_config.config_groups);
    assert.is(groups.length, 1, "transformers dequantises all layers by the first group");
    for (const [key, value] of Object.entries(weights)) assert.equal(at(groups, 0).weights[key], value, key);
    assert.is(
      warnings.some((line) => line.includes("layers have fewer than")),
      what !== "group sizes",
    );
    await requireSame(folder, (await write(bloom, rounding, "dense")).folder);
  });
}

test("groups that share no fair size are refused", async () => {
  const source = join(root, "uneven");
  await writeTinyModel(source, { hiddenSize: 72, heads: 4 });
  const message = await refusal(source, (tensor) => ({
    bits: 4,
    groupSize: tensor.includes("4h_to_h") ? 32 : 0,
    symmetric: true,
  }));
  assert.match(message, "groups of 32 and 72 columns share none of 16 or more; compress with one --group-size");
});

const threeKinds: Choose = (tensor) => ({
  bits: isMlp(tensor) ? 2 : tensor.includes("dense") ? 8 : 3,
  groupSize: 32,
  symmetric: true,
});

test("with several config groups layers keep their bits, those of the most first, and are read back", async () => {
  const several = { configGroups: "several" };
  const { folder, warnings, config } = await write(bloom, threeKinds, "compressed-tensors", several);
  const groups = Object.values(config.quantization_config.config_groups);
  assert.equal(
    groups.map(({ weights }) => weights["num_bits"]),
    [8, 3, 2],
  );
  for (const { tensor } of await bloomWeights()) {
    const module = tensor.slice(0, -".weight".length);
    const own = groups.filter(({ targets }) => isNamed(module, targets));
    assert.equal(
      own.map(({ weights }) => weights["num_bits"]),
      [threeKinds(tensor)?.bits],
      tensor,
    );
  }
  assert.ok(
    warnings.some((line) => line.includes("does not read several config groups with CompressedTensorsConfig(dequantize=True)")),
  );
  await requireSame(folder, (await write(bloom, threeKinds, "dense")).folder);
  const alike = await write(bloom, () => ({ bits: 4, groupSize: 32, symmetric: true }), "compressed-tensors", several);
  assert.equal(
    Object.values(alike.config.quantization_config.config_groups).map(({ targets }) => targets),
    [["Linear"]],
  );
});

/** The grids of groups that a format holds. */
async function heldGroups(options: object): Promise<HeldGroups> {
  const groups = (await assemble.holds?.({ ...options }))?.find(({ kind }) => kind === "groups");
  if (groups?.kind !== "groups") throw new Error("the format holds no groups");
  return groups;
}

test("bits may differ between layers where the format keeps them, and it says what to do where it does not", async () => {
  const several = { format: "compressed-tensors", configGroups: "several", dtype: "f16" };
  for (const [options, bits] of [
    [{ format: "gptq" }, [2, 3, 4, 8]],
    [{ format: "onnx" }, [2, 3, 4, 8]],
    [several, [2, 3, 4, 5, 6, 7, 8]],
  ] as const) {
    const groups = await heldGroups(options);
    assert.equal([groups.bits, groups.sameBits], [bits, undefined]);
  }
  for (const [format, remedy] of [
    ["compressed-tensors", /unless assemble has config-groups: several/],
    ["gguf", /leave out bits, and allocate chooses between types; or take another format/],
  ] as const) {
    assert.match((await heldGroups({ format })).sameBits ?? "", remedy);
  }
});

test("a pruned model says why it is as large as before", async () => {
  const { warnings } = await write(bloom, () => ({ pruned: true }));
  assert.equal(warnings.length, 1);
  assert.match(at(warnings, 0), /^pruned weights are stored with their zeros, so the folder is as large as the dense one: /);
});

const mixtral = join(fixtures, "mixtral-f32");
const four: Rounding = { bits: 4, groupSize: 0, symmetric: true };
const mixedExperts: Choose = (tensor) => ({ ...four, bits: tensor.includes("experts.1.") ? 8 : 4 });
const threeBits: Choose = () => ({ bits: 3, groupSize: 0, symmetric: true });

test("experts of different bits are written on one grid, which transformers takes for all", async () => {
  const { folder, config } = await write(mixtral, mixedExperts);
  const groups = Object.values(config.quantization_config.config_groups);
  assert.equal(
    groups.map(({ weights }) => weights["num_bits"]),
    [8],
  );
  await requireSame(folder, (await write(mixtral, mixedExperts, "dense")).folder);
});

test("experts that transformers would read wrong are refused", async () => {
  const dense = "transformers reads the experts of compressed-tensors only where all are packed, and this one is left dense";
  assert.match(
    await refusal(mixtral, (tensor) => (tensor.includes("experts.1.") ? undefined : four)),
    `experts.1.w1.weight: ${dense}`,
  );
  assert.match(await refusal(mixtral, (tensor) => (tensor.includes("experts") ? undefined : four)), dense);
  assert.match(await refusal(mixtral, () => ({ pruned: true })), dense);
  const planned = { solver: "wanda", codes: "none" } as const;
  assert.ok(assemble.checkPlan);
  await assemble.checkPlan({ model: mixtral, format: "compressed-tensors" }, planned).then(
    () => assert.unreachable("a pruned mixture of experts"),
    (error: Error) => assert.match(error.message, dense),
  );
  const zeros = "transformers reads no zero points of experts in compressed-tensors; compress with --symmetric";
  const asymmetric = { solver: "rtn", codes: plannedCodes({ groupSize: 8, zeroPoints: "any" }) } as const;
  await assemble.checkPlan({ model: mixtral, format: "compressed-tensors" }, asymmetric).then(
    () => assert.unreachable("experts on asymmetric grids"),
    (error: Error) => assert.match(error.message, zeros),
  );
  assert.match(await refusal(mixtral, () => ({ ...four, symmetric: false })), zeros);
  assert.match(await refusal(mixtral, mixedExperts, { configGroups: "several" }), "reads all experts by one config group");
  const moe = join(fixtures, "qwen2-moe-f32");
  assert.match(await refusal(moe, (tensor) => ({ ...four, symmetric: !tensor.includes("self_attn") })), zeros);
  // An expert that all tokens share is a layer like any other.
  const { folder, config } = await write(moe, (tensor) => (tensor.includes("shared_expert.down") ? undefined : four));
  assert.ok(isNamed("model.layers.0.mlp.shared_expert.down_proj", config.quantization_config.ignore));
  await (await openModel(folder)).close();
});

test("narrow layers of 3 bits are read back with 3 bits, whatever else would fill as many words", async () => {
  const source = join(fixtures, "llama-grouped-f32");
  const [packed, dense] = [await write(source, threeBits), await write(source, threeBits, "dense")];
  await requireSame(packed.folder, dense.folder);
});

test("a folder whose configuration asks for more than packed weights is refused by name", async () => {
  const { folder } = await write(bloom, () => four);
  const path = join(folder, "config.json");
  const text = await readFile(path, "utf8");
  const edit = async (from: string, to: string): Promise<string> => {
    assert.ok(text.includes(from), from);
    await writeFile(path, text.replace(from, to));
    return openModel(folder).then(
      () => "",
      (error: Error) => error.message,
    );
  };
  assert.match(
    await edit('"output_activations": null', '"output_activations": {"num_bits": 8, "dynamic": true}'),
    'quantization_config.config_groups.group_0.output_activations {"num_bits":8,"dynamic":true} is not supported; take the dense model',
  );
  assert.match(await edit('"num_bits": 4', '"num_bits": 5'), "fit no config group of config.json; take the dense model");
  assert.match(await edit('"symmetric": true', '"symmetric": false'), "fit no config group of config.json");
  assert.is(await edit('"dynamic": false', '"dynamic": false, "observer": "minmax"'), "");
});

/** A layer on one grid. */
const layer = (scale: number): QuantisedLayer => ({
  tensor: "w",
  rows: 32,
  columns: 32,
  grid: { kind: "groups", bits: 4, groupSize: 0, zeroPoints: "middle" },
  reordered: false,
  groupOf: new Int32Array(32),
  scales: new Float32Array(32).fill(scale),
  zeros: new Uint8Array(32).fill(8),
  codes: () => new Uint8Array(1024),
});

test("scales are refused where their own dtype cannot hold them, not where half precision could not", () => {
  for (const scale of [1e5, 1e-9]) {
    checkPackedLayer(layer(scale), false, "bf16");
    checkPackedLayer(layer(scale), false, "f32");
    assert.throws(
      () => checkPackedLayer(layer(scale), false, "f16"),
      /is beyond the range of f16; assemble with --dtype bf16 or f32$/,
    );
    assert.throws(
      () => checkGptqLayer(layer(scale), 1),
      /of f16; assemble with --format dense, or compressed-tensors --dtype bf16$/,
    );
  }
  assert.throws(() => checkPackedLayer(layer(0), false, "bf16"), /scale 0 is beyond the range of bf16; .* --format dense$/);
});

test.run();
