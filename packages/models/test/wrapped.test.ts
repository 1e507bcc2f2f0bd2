import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FailedPreconditionError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { hasNoBasis } from "../src/architectures/bases.ts";
import { isCarried, openModel, planGguf, writeSafetensors } from "../src/index.ts";
import type { ArchitectureModel } from "../src/index.ts";
import type { JsonObject } from "../src/folder/json-file.ts";

const root = await mkdtemp(join(tmpdir(), "wrapped-test-"));
test.after(() => rm(root, { recursive: true }));

const fixtures = fileURLToPath(new URL("fixtures/forward/", import.meta.url));

async function open(folder: string): Promise<ArchitectureModel> {
  const model = await openModel(folder);
  if (model.kind !== "architecture") throw new Error(`${folder} is a graph`);
  return model;
}

let made = 0;

/** A copy of a fixture with another configuration. */
async function edited(fixture: string, edit: (config: JsonObject) => JsonObject): Promise<string> {
  const folder = join(root, String(made++));
  await cp(join(fixtures, fixture), folder, { recursive: true });
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as JsonObject;
  await writeFile(join(folder, "config.json"), JSON.stringify(edit(config)));
  return folder;
}

const inText =
  (changes: JsonObject) =>
  (config: JsonObject): JsonObject => ({ ...config, text_config: { ...(config["text_config"] as JsonObject), ...changes } });

const without =
  (key: string) =>
  (config: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(config).filter(([name]) => name !== key));

test("a wrapped model is its language model, with everything else beside it", async () => {
  const model = await open(join(fixtures, "gemma3-images-f32"));
  assert.is(model.architecture, "gemma3_text");
  assert.is(model.section, "text_config");
  assert.ok([...model.reads].every((name) => name.startsWith("language_model.model.")));
  const carried = model.checkpoint.list().filter(({ name }) => !model.reads.has(name));
  assert.ok(carried.some(({ name }) => name === "multi_modal_projector.mm_soft_emb_norm.weight"));
  for (const { name, dtype, storedDtype } of carried) {
    assert.ok(isCarried(model.layout, name), name);
    assert.equal([dtype, storedDtype], [undefined, "F32"], "no weight that any stage would convert");
  }
  assert.ok(hasNoBasis(model.layout.bases.stream) && hasNoBasis(model.layout.bases.values), "no part of it is rotated");
  await model.close();
});

test("layers that predict further tokens are carried, by a model of text alone too", async () => {
  for (const fixture of ["qwen3-5-f32", "qwen3-5-moe-f32", "qwen3-5-images-f32"]) {
    const model = await open(join(fixtures, fixture));
    const carried = model.checkpoint.list().filter(({ name }) => !model.reads.has(name));
    const beside = carried.map(({ name }) => name).filter((name) => !name.startsWith("model.visual."));
    assert.equal(beside.sort(), ["mtp.fc.weight", "mtp.layers.0.mlp.up_proj.weight", "mtp.norm.weight"]);
    assert.ok(carried.every(({ name, dtype }) => isCarried(model.layout, name) && dtype === undefined));
    await model.close();
  }
});

test("ids of the top level override those of the section, as generation takes them", async () => {
  const folder = await edited("gemma3-images-f32", (config) => ({ ...config, eos_token_id: [1, 6] }));
  const model = await open(folder);
  assert.equal([model.settings["bos_token_id"], model.settings["eos_token_id"]], [1, [1, 6]]);
  await model.close();
});

test("ties of the top level count, and those of the section do not", async () => {
  const folder = await edited("qwen3-vl-tied-biases-bf16", inText({ tie_word_embeddings: false }));
  const model = await open(folder);
  assert.is(model.layout.head, model.layout.embedding);
  await model.close();
});

const refused: readonly [string, string, (config: JsonObject) => JsonObject, RegExp][] = [
  [
    "another language model",
    "gemma3-images-f32",
    inText({ model_type: "llama" }),
    /text_config\.model_type "llama" is not supported; gemma3 has gemma3_text inside/,
  ],
  [
    "a soft cap, which transformers leaves out",
    "gemma3-images-f32",
    inText({ final_logit_softcapping: 30 }),
    /text_config\.final_logit_softcapping 30 is not supported/,
  ],
  [
    "a broken size, with its section",
    "mistral3-ministral3-f32",
    inText({ hidden_size: 0 }),
    /text_config\.hidden_size must be a whole number/,
  ],
  [
    "no growth of queries",
    "mistral3-ministral3-f32",
    inText({ rope_parameters: { rope_type: "default", rope_theta: 1e4 } }),
    /text_config\.rope_parameters\.llama_4_scaling_beta must be a number/,
  ],
  ["no language model", "qwen3-vl-f32", without("text_config"), /config\.json: text_config must be an object, not absent/],
  [
    "no id of an image, which trimming renumbers",
    "gemma3-images-f32",
    without("image_token_index"),
    /config\.json: image_token_index must be the id of a token, not absent/,
  ],
];

for (const [what, fixture, edit, said] of refused) {
  test(`refused by name: ${what}`, async () => {
    await openModel(await edited(fixture, edit)).then(
      () => assert.unreachable("it was read"),
      (error: Error) => assert.match(error.message, said),
    );
  });
}

test("a token of images has another name in some configurations", async () => {
  const folder = await edited("mistral3-ministral3-f32", (config) => ({
    ...without("image_token_index")(config),
    image_token_id: 0,
  }));
  await (await open(folder)).close();
});

test("a tensor of no known part is unknown", async () => {
  const folder = await edited("gemma3-images-f32", (config) => config);
  const model = await open(folder);
  const renamed = model.checkpoint
    .list()
    .map((info) => ({ ...info, name: info.name.replace("multi_modal_projector.", "audio_tower.") }));
  const content: Uint8Array[] = [];
  for await (const piece of writeSafetensors(renamed, {}, async function* read({ name }) {
    yield await model.checkpoint.readRaw(name.replace("audio_tower.", "multi_modal_projector."));
  })) {
    content.push(piece.slice());
  }
  await model.close();
  await writeFile(join(folder, "model.safetensors"), Buffer.concat(content));
  await openModel(folder).then(
    () => assert.unreachable("it was read"),
    (error: Error) => assert.match(error.message, "audio_tower.mm_input_projection_weight is unknown"),
  );
});

const files: readonly [fixture: string, architecture: string, metadata: JsonObject][] = [
  ["gemma3-images-f32", "gemma3", { "gemma3.embedding_length": 32 }],
  ["gemma3-images-own-names-bf16", "gemma3", {}],
  ["gemma4-images-f32", "gemma4", { "gemma4.embedding_length": 32, "gemma4.attention.shared_kv_layers": 3 }],
  ["gemma4-images-experts-f32", "gemma4", { "gemma4.expert_count": 5, "gemma4.expert_feed_forward_length": 12 }],
  ["mistral3-mistral-untied-bf16", "llama", {}],
  [
    "mistral3-ministral3-f32",
    "mistral3",
    { "mistral3.rope.scaling.yarn_log_multiplier": 1, "mistral3.attention.temperature_scale": 0.3 },
  ],
  ["qwen3-5-images-tied-bf16", "qwen35", { "qwen35.rope.dimension_sections": [2, 1, 1, 0], "qwen35.ssm.inner_size": 32 }],
  ["qwen3-vl-f32", "qwen3vl", { "qwen3vl.rope.dimension_sections": [2, 1, 1, 0], "qwen3vl.n_deepstack_layers": 1 }],
];

for (const [fixture, architecture, metadata] of files) {
  test(`${fixture}: a GGUF file has the language model alone, and says so`, async () => {
    // what a file can say: the usual scale of queries, and how a text is split
    const folder = await edited(fixture, inText({ query_pre_attn_scalar: 8 }));
    const tokenizer = join(folder, "tokenizer.json");
    const text = await readFile(tokenizer, "utf8");
    await writeFile(tokenizer, text.replaceAll('"use_regex": false', '"use_regex": true'));
    const model = await open(folder);
    const plan = await planGguf(model, new Map());
    await model.close();
    assert.is(plan.architecture, architecture);
    for (const [key, value] of Object.entries(metadata)) assert.equal(plan.metadata.get(key)?.value, value, key);
    assert.equal(plan.tensors.flatMap(({ sources }) => sources).sort(), [...model.reads].sort());
    assert.match(
      plan.notes.at(-1) ?? "",
      /^the file has the language model alone, without .*: for images llama\.cpp reads an mmproj file/,
    );
  });
}

test("a Gemma 4 without a cap on its logits says so in a GGUF file: without the key llama.cpp caps them at 30", async () => {
  const folder = await edited("gemma4-images-f32", inText({ final_logit_softcapping: null }));
  const tokenizer = join(folder, "tokenizer.json");
  const text = await readFile(tokenizer, "utf8");
  await writeFile(tokenizer, text.replaceAll('"use_regex": false', '"use_regex": true'));
  const model = await open(folder);
  const { metadata } = await planGguf(model, new Map());
  await model.close();
  assert.is(metadata.get("gemma4.final_logit_softcapping")?.value, 0);
});

test("GGUF files of Qwen 3 VL are not read: no class of transformers is the language model alone", async () => {
  const { loadGgufForms } = await import("../src/gguf/form/load-form.ts");
  await loadGgufForms("qwen3vl", "model.gguf").then(
    () => assert.unreachable("it was read"),
    (error: Error) => assert.instance(error, FailedPreconditionError),
  );
});

test.run();
