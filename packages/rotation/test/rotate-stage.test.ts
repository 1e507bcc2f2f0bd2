import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError, FailedPreconditionError, UsageError } from "@mbs/contracts";
import { openModel, rotationKey } from "@mbs/models";
import type { ArchitectureModel } from "@mbs/models";
import { context, controlled, fixture, logitsOf, rotateInto, temporaryFolder, withValues } from "./rotated-model.ts";
import { rotate } from "../src/index.ts";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";

const { root, remove } = await temporaryFolder();
test.after(remove);

/**
 * The rotated model is computed in float32, as the dense one: a sum of n products has an error of about √n·6e-8 of its size, and
 * 20 of them follow each other. Measured: 4.3e-6 at most on the tiny models, 7e-7 on the controlled ones.
 */
const tolerance = 1e-5;

/** How far the logits of a rotated model are from those of its source. */
async function differenceOf(model: string, options: Record<string, unknown>): Promise<number> {
  const { folder } = await rotateInto(root, model, options);
  const [before, after] = [await logitsOf(model), await logitsOf(folder)];
  assert.ok(before.values.some((value) => value !== 0));
  return relativeDifference(after.values, before.values);
}

const exact: readonly (readonly [string, Record<string, unknown>])[] = [
  [controlled("controlled-llama"), {}],
  [controlled("controlled-llama"), { values: "none" }],
  [controlled("controlled-bloom"), {}],
  [fixture("three-heads-f16"), { stream: "random", values: "random" }],
  [fixture("gpt-neox-parallel-f32"), { values: "none" }],
];
for (const [model, options] of exact) {
  test(`${model.split("/").at(-1)} ${JSON.stringify(options)}: the rotated model computes the same`, async () => {
    const difference = await differenceOf(model, options);
    assert.ok(difference < tolerance, `${difference}`);
    assert.ok(difference > 0, "nothing was rotated");
  });
}

/** Tiny models whose residual stream cannot be rotated; of encoder-decoders, Gemma 4, Qwen 3.5 and wrapped models nothing can. */
const onlyValues = /^(exaone4|gemma|olmo2|xglm|residual-after-norm)/;
const nothing = /^(umt5|mt5|t5|m2m|mbart|gemma4|gemma3-images|mistral3|qwen3-vl|qwen3-5)/;

test("of every architecture the rotated model computes the same, or is refused", async () => {
  const names = await readdir(fixture(""));
  assert.ok(names.length > 40);
  for (const name of names) {
    if (nothing.test(name)) continue;
    const difference = await differenceOf(fixture(name), onlyValues.test(name) ? { stream: "none" } : {});
    assert.ok(difference < tolerance, `${name}: ${difference}`);
    assert.ok(difference > 0, `${name}: nothing was rotated`);
  }
  for (const name of names.filter((one) => onlyValues.test(one) || nothing.test(one))) {
    assert.match((await refusal(fixture(name))).message, /the residual stream of \w+ cannot be rotated: /);
  }
});

const open = async (folder: string): Promise<ArchitectureModel> => {
  const model = await openModel(folder);
  if (model.kind !== "architecture") throw new Error(`${folder} is an ONNX model`);
  await model.close();
  return model;
};

test("config.json says what was done, and what follows is written in the dtype of the source", async () => {
  const source = controlled("controlled-llama");
  const { folder, lines } = await rotateInto(root, source, { seed: 5 });
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
  const { address } = await open(source);
  assert.equal(config[rotationKey], { stream: "hadamard", values: "hadamard", seed: 5, source: address, dtype: "f16" });
  assert.is(config["tie_word_embeddings"], false);
  assert.is(config["dtype"], "float32");
  assert.is(config["model_type"], "llama");
  // 4096 tokens of 256 channels in float32
  assert.equal(lines, ["the head is no longer the embedding: lm_head.weight is added, 4.19 MB of 21.0 MB"]);
  const model = await open(folder);
  assert.is(model.dtype, "f32");
  assert.is(model.writtenDtype, "f16");
  assert.is(model.rotation?.seed, 5);
  assert.equal(model.notes, []);
  const files = await readdir(folder);
  for (const name of ["tokenizer.json", "generation_config.json", "distribution.json", "README.md"])
    assert.ok(files.includes(name), name);
});

test("the same seed gives the same bytes, another one others; large channels are spread", async () => {
  const source = fixture("plain-f32");
  const folders = await Promise.all([0, 0, 1].map((seed) => rotateInto(root, source, { seed })));
  const [first, again, other] = await Promise.all(folders.map(({ folder }) => readFile(join(folder, "model.safetensors"))));
  assert.equal(first, again);
  assert.not.equal(first, other);
});

test("R2 alone leaves embedding, head and norms as they are, byte for byte", async () => {
  const source = fixture("gemma3-alternating-f32");
  const { folder, lines } = await rotateInto(root, source, { stream: "none" });
  assert.equal(lines, []);
  const [before, after] = [await openModel(source), await openModel(folder)];
  const changed: string[] = [];
  for (const { name } of before.checkpoint.list()) {
    const [old, now] = [await before.checkpoint.readF32(name), await after.checkpoint.readF32(name)];
    if (Buffer.compare(Buffer.from(old.buffer), Buffer.from(now.buffer)) !== 0) changed.push(name);
  }
  assert.equal(
    changed,
    [0, 1, 2].flatMap((block) => ["o_proj", "v_proj"].map((name) => `model.layers.${block}.self_attn.${name}.weight`)),
  );
  await before.close();
  await after.close();
});

test("a head beside tensors without a prefix: all get it, as transformers asks for", async () => {
  const { folder } = await rotateInto(root, fixture("gpt2-base-untied-f16"));
  const model = await openModel(folder);
  const names = model.checkpoint.list().map(({ name }) => name);
  assert.ok(names.includes("lm_head.weight") && names.includes("transformer.wte.weight"));
  assert.ok(names.every((name) => name === "lm_head.weight" || name.startsWith("transformer.")));
  await model.close();
});

async function refusal(model: string, options: Record<string, unknown> = {}): Promise<Error> {
  try {
    await rotateInto(root, model, options);
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error(`${model} was rotated`);
}

test("weights that become infinite are refused with tensor and index", async () => {
  const norms = await withValues(
    root,
    "llama-grouped-f32",
    "model.layers.0.post_attention_layernorm.weight",
    (values) => void values.fill(3e38),
  );
  assert.match(
    (await refusal(norms)).message,
    /tensor model\.layers\.0\.mlp\.\S+ would have \S+ at index \d+ once it is rotated/,
  );
});

test("what would not be exact is refused with the reason", async () => {
  const cases: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    [
      "gemma3-alternating-f32",
      {},
      /residual stream of gemma3_text cannot be rotated: its norms after attention and MLP .*; give --stream none$/,
    ],
    ["gemma2-plain-bf16", { values: "none" }, /residual stream of gemma2 cannot be rotated: its norms after/],
    ["residual-after-norm-untied", {}, /residual stream of bloom cannot be rotated: its residual is taken after the norms/],
    [
      "qwen3-5-f32",
      {},
      /residual stream of qwen3_5_text cannot be rotated: its linear attention reads norms by layers that are not compressed/,
    ],
    ["xglm-f32", {}, /residual stream of xglm cannot be rotated: its positions are computed/],
    [
      "t5-untied-f16",
      { stream: "none" },
      /values of t5 cannot be rotated: it is an encoder-decoder; compress the model as it is$/,
    ],
  ];
  for (const [name, options, message] of cases) {
    const error = await refusal(fixture(name), options);
    assert.instance(error, FailedPreconditionError);
    assert.match(error.message, message);
  }
  const nothing = await refusal(fixture("plain-f32"), { stream: "none", values: "none" });
  assert.instance(nothing, UsageError);
  assert.instance(await refusal(fixture("plain-f32"), { stream: "hadamart" }), UsageError);
  const { folder } = await rotateInto(root, fixture("plain-f32"));
  assert.match((await refusal(folder)).message, /is rotated already; give the model that it was made from$/);
});

test("a norm weight near zero beside a bias is refused by name, and without one folded", async () => {
  const norm = "transformer.h.1.input_layernorm";
  const error = await refusal(await withValues(root, "plain-f32", `${norm}.weight`, (values) => void (values[3] = 1e-9)));
  assert.instance(error, FailedPreconditionError);
  assert.match(
    error.message,
    /^transformer\.h\.1\.input_layernorm\.weight has 9\.99\S+e-10 in channel 3, too near zero beside its bias/,
  );
  const llama = await withValues(
    root,
    "llama-grouped-f32",
    "model.layers.1.input_layernorm.weight",
    (values) => void (values[3] = 0),
  );
  const { folder } = await rotateInto(root, llama);
  assert.ok(relativeDifference((await logitsOf(folder)).values, (await logitsOf(llama)).values) < tolerance);
});

test("NaN in a weight, a malformed record of a rotation and an abort end it", async () => {
  const broken = await withValues(
    root,
    "plain-f32",
    "transformer.h.0.mlp.dense_h_to_4h.weight",
    (values) => void (values[0] = NaN),
  );
  assert.instance(await refusal(broken), BadDataError);
  const { folder } = await rotateInto(root, fixture("plain-f32"));
  const path = join(folder, "config.json");
  await writeFile(path, (await readFile(path, "utf8")).replace('"seed": 0', '"seed": "zero"'));
  const error = await openModel(folder).catch((reason: unknown) => reason);
  assert.instance(error, BadDataError);
  assert.match(String(error), "mbs_rotation is no record of a rotation");
  const aborted = { ...context(), signal: AbortSignal.abort() };
  const { files } = await rotate.run({}, { model: fixture("plain-f32") }, aborted);
  let failure: unknown;
  try {
    for await (const _ of files?.batches ?? []) continue;
  } catch (reason) {
    failure = reason;
  }
  assert.match(String(failure), "rotate: stopped");
});

test.run();
