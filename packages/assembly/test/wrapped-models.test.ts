import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unpackFiles } from "@mbs/artifacts";
import { editedConfig, isCarried, openModel } from "@mbs/models";
import type { ArchitectureModel } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";
import { caseLayers, quietContext } from "./fixtures/quantised-model.ts";
import type { Rounding } from "./fixtures/quantised-model.ts";

const root = await mkdtemp(join(tmpdir(), "wrapped-models-test-"));
test.after(() => rm(root, { recursive: true }));

const fixtures = fileURLToPath(new URL("../../models/test/fixtures/forward/", import.meta.url));
const four: Rounding = { bits: 4, groupSize: 0, symmetric: true };

interface Config {
  readonly dtype?: string;
  readonly quantization_config?: {
    readonly ignore?: readonly string[];
    readonly dynamic?: Readonly<Record<string, unknown>>;
    readonly modules_in_block_to_quantize?: readonly (readonly string[])[];
  };
}

const readConfig = async (folder: string): Promise<Config> =>
  JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Config;

async function open(folder: string): Promise<ArchitectureModel> {
  const model = await openModel(folder);
  if (model.kind !== "architecture") throw new Error(`${folder} is a graph`);
  return model;
}

/** Files of processors, which no stage reads. */
const others = {
  "preprocessor_config.json": '{ "image_mean": [0.5, 0.5, 0.5], "rescale_factor": 1.0 }',
  "processor_config.json": '{ "image_seq_length": 4 }\n',
  "video_preprocessor_config.json": "{}",
  "chat_template.json": '{ "chat_template": "{{ bos_token }}" }',
};

async function copyOf(fixture: string): Promise<string> {
  const folder = join(root, fixture);
  await cp(join(fixtures, fixture), folder, { recursive: true });
  for (const [name, text] of Object.entries(others)) await writeFile(join(folder, name), text);
  return folder;
}

let written = 0;

/** Rounds the linear weights of a model, and writes it. @returns the new folder */
async function write(
  source: string,
  options: Readonly<Record<string, unknown>>,
  rounding: (tensor: string) => Rounding | undefined = () => four,
): Promise<string> {
  const model = await open(source);
  const layers = [caseLayers(model, { rounding })];
  await model.close();
  const folder = join(root, `written-${written++}`);
  const { files } = await assemble.run({ layers }, { model: source, card: false, ...options }, quietContext);
  assert.ok(files);
  await unpackFiles(files, folder, { force: false });
  return folder;
}

const carriedBy = ({ layout, checkpoint }: ArchitectureModel) => checkpoint.list().filter(({ name }) => isCarried(layout, name));

/** Checks that what stands beside the language model is the source's, bit by bit, under the same names. */
async function requireCarried(source: string, folder: string): Promise<void> {
  const [before, after] = [await open(source), await open(folder)];
  assert.ok(carriedBy(before).length > 10);
  const described = (model: ArchitectureModel) =>
    carriedBy(model).map(({ name, storedDtype, shape }) => [name, storedDtype, shape]);
  assert.equal(described(after), described(before));
  for (const { name } of carriedBy(before)) {
    assert.ok(Buffer.compare(await before.checkpoint.readRaw(name), await after.checkpoint.readRaw(name)) === 0, name);
  }
  assert.equal(after.layout.embedding, before.layout.embedding, "the form of the names stays");
  await before.close();
  await after.close();
  for (const [name, text] of Object.entries(others)) assert.is(await readFile(join(folder, name), "utf8"), text);
}

const isMatch = (pattern: string, modules: readonly string[]): boolean => modules.every((name) => new RegExp(pattern).test(name));

/** The linear layers of towers, as the checkpoint, transformers and vLLM call them. */
const towers: Readonly<Record<string, readonly string[]>> = {
  gemma3: ["vision_tower.encoder.layers.0.self_attn.q_proj", "model.vision_tower.vision_model.encoder.layers.0.mlp.fc1"],
  gemma4: [
    "model.vision_tower.encoder.layers.0.self_attn.q_proj.linear",
    "audio_tower.layers.0.feed_forward1.ffw_layer_1.linear",
  ],
  mistral3: ["vision_tower.transformer.layers.0.feed_forward.gate_proj", "model.multi_modal_projector.linear_1"],
  qwen3: ["model.visual.blocks.0.attn.qkv", "visual.deepstack_merger_list.0.linear_fc1"],
  // with the layers that predict further tokens
  "qwen3-5": ["model.visual.blocks.0.attn.qkv", "visual.merger.linear_fc1", "mtp.fc", "mtp.layers.0.mlp.up_proj"],
};

const fixturesOf = [
  "gemma3-images-f32",
  "gemma3-images-own-names-bf16",
  "gemma4-images-f32",
  "gemma4-images-keys-are-values-bf16",
  "mistral3-ministral3-f32",
  "mistral3-mistral-untied-bf16",
  "qwen3-5-images-f32",
  "qwen3-5-images-tied-bf16",
  "qwen3-vl-f32",
  "qwen3-vl-tied-biases-bf16",
];

for (const fixture of fixturesOf) {
  const modules = towers[/^[a-z]+\d(-5)?/.exec(fixture)?.[0] ?? ""] ?? [];

  test(`${fixture}: only the language model is rounded, and config.json stays`, async () => {
    const source = await copyOf(fixture);
    const folder = await write(source, { format: "dense" });
    await requireCarried(source, folder);
    assert.is(await readFile(join(folder, "config.json"), "utf8"), await readFile(join(source, "config.json"), "utf8"));

    const half = await write(source, { format: "dense", dtype: "f16" });
    await requireCarried(source, half);
    assert.equal(await readConfig(half), { ...(await readConfig(source)), dtype: "float16" });
  });

  test(`${fixture}: no format takes the layers of towers for packed`, async () => {
    const source = await copyOf(fixture);
    const config = await readConfig(source);
    assert.ok(modules.length > 0);

    const packed = await write(source, { format: "compressed-tensors" });
    await requireCarried(source, packed);
    const { quantization_config: compressed, ...rest } = await readConfig(packed);
    assert.equal(rest, config);
    const ignored = compressed?.ignore ?? [];
    for (const name of modules) {
      assert.ok(
        ignored.some((one) => one.startsWith("re:") && isMatch(one.slice("re:".length), [name])),
        name,
      );
    }

    // of the attention's weights some are too small for GPTQ's files
    const gptq = await write(source, { format: "gptq" }, (tensor) => (tensor.includes(".mlp.") ? four : undefined));
    await requireCarried(source, gptq);
    const { quantization_config: quantised, ...others } = await readConfig(gptq);
    assert.equal(others, config);
    for (const name of modules) {
      assert.ok(
        Object.keys(quantised?.dynamic ?? {}).some((one) => one.startsWith("-:") && isMatch(one.slice("-:".length), [name])),
        name,
      );
    }
  });
}

test("layers of the language model are named for each program's names", async () => {
  const source = await copyOf("gemma3-images-f32");
  const folder = await write(source, { format: "gptq" }, (tensor) => (tensor.includes("layers.1.mlp") ? four : undefined));
  const { quantization_config: config } = await readConfig(folder);
  const layer = "layers.1.mlp.up_proj";
  const names = [`language_model.model.${layer}`, `model.language_model.${layer}`];
  const listed = config?.modules_in_block_to_quantize?.flat() ?? [];
  for (const name of names)
    assert.ok(
      listed.some((one) => name.endsWith(one)),
      name,
    );
  const dense = "layers.0.self_attn.o_proj";
  const left = Object.keys(config?.dynamic ?? {}).map((key) => key.slice("-:".length));
  for (const name of [`language_model.model.${dense}`, `model.language_model.${dense}`]) {
    assert.ok(
      left.some((pattern) => isMatch(pattern, [name])),
      name,
    );
    assert.not(listed.some((one) => name.endsWith(one)));
  }
  for (const name of names)
    assert.not(
      left.some((pattern) => isMatch(pattern, [name])),
      name,
    );
});

test("a key that stands at the top level and in the section of the language model is changed in both", async () => {
  const model = await open(await copyOf("gemma3-images-f32"));
  const before = await model.files.text("config.json");
  const tied = '"tie_word_embeddings": true';
  assert.is(before.split(tied).length - 1, 2);
  const { content } = await editedConfig(model, { tie_word_embeddings: false, quantization_config: { bits: 4 } });
  await model.close();
  let after = "";
  for await (const piece of content()) after += Buffer.from(piece).toString();
  assert.is(after.split('"tie_word_embeddings": false').length - 1, 2);
  assert.is(after.split("quantization_config").length - 1, 1, "other keys are set at the top level alone");
});

test("an ONNX decoder of a language model beside towers is refused", async () => {
  await write(await copyOf("qwen3-vl-f32"), { format: "onnx" }).then(
    () => assert.unreachable("it was written"),
    (error: Error) => assert.match(error.message, "has visual beside its language model, which --format onnx does not export"),
  );
});

test.run();
