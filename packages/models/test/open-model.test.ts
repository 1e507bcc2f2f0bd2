import { cp, mkdtemp, readFile, rename, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, BadDataError, FailedPreconditionError, InputOutputError, UsageError } from "@mbs/contracts";
import { generate, openModel } from "../src/index.ts";
import { putValue, writeTinyModel } from "../src/testing.ts";

const root = await mkdtemp(join(tmpdir(), "open-model-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;
const freshFolder = (): string => join(root, String(count++));

async function tiny(options = {}): Promise<string> {
  const folder = freshFolder();
  await writeTinyModel(folder, options);
  return folder;
}

async function refusal(
  folder: string,
  Category: typeof BadDataError | typeof FailedPreconditionError | typeof InputOutputError | typeof UsageError = BadDataError,
): Promise<string> {
  try {
    await (await openModel(folder)).close();
  } catch (error) {
    assert.instance(error, Category, String(error));
    assert.not.match((error as Error).message, /\n/);
    return (error as Error).message;
  }
  return "accepted";
}

async function addressOf(folder: string): Promise<string> {
  const model = await openModel(folder);
  await model.close();
  return model.address;
}

async function edit(path: string, change: (text: string) => string): Promise<void> {
  await writeFile(path, change(await readFile(path, "utf8")));
}

const norm = (name: string) => [
  { tensor: `transformer.h.1.${name}.weight`, offset: 0 },
  { tensor: `transformer.h.1.${name}.bias`, offset: 0 },
];

test("readers of a weight share it while one of them has it", async () => {
  const model = await openModel(await tiny({ dtype: "bf16" }));
  const { tensor } = at(at(at(model.blocks, 0).sites, 0).weights, 0);
  const values = await model.readWeight(tensor);
  assert.is(await model.readWeight(tensor), values);
  await model.close();
});

test("a model tells what it is", async () => {
  const model = await openModel(await tiny({ blocks: 3, dtype: "bf16", contextLength: 64 }));
  const { architecture, dtype, hiddenSize, vocabularySize, contextLength, blocks } = model;
  assert.equal(
    { architecture, dtype, hiddenSize, vocabularySize, contextLength },
    {
      architecture: "bloom",
      dtype: "bf16",
      hiddenSize: 32,
      vocabularySize: 260,
      contextLength: 64,
    },
  );
  assert.equal(
    blocks.map(({ name }) => name),
    ["h.0", "h.1", "h.2"],
  );
  assert.equal(at(blocks, 1).sites, [
    {
      name: "attention-qkv",
      width: 32,
      weights: [{ tensor: "transformer.h.1.self_attention.query_key_value.weight", rows: 96 }],
      scaledBy: norm("input_layernorm"),
    },
    {
      name: "attention-output",
      width: 32,
      weights: [{ tensor: "transformer.h.1.self_attention.dense.weight", rows: 32 }],
      adds: { factor: 1 },
    },
    {
      name: "mlp-up",
      width: 32,
      weights: [{ tensor: "transformer.h.1.mlp.dense_h_to_4h.weight", rows: 128 }],
      scaledBy: norm("post_attention_layernorm"),
    },
    {
      name: "mlp-down",
      width: 128,
      weights: [{ tensor: "transformer.h.1.mlp.dense_4h_to_h.weight", rows: 32 }],
      adds: { factor: 1 },
    },
  ]);
  await model.close();
});

test("a tokenizer in use is shared by all that open its folder, as long as its files are the same", async () => {
  const folder = await tiny();
  const [first, second] = [await openModel(folder), await openModel(folder)];
  const tokenizer = await first.tokenizer();
  assert.is(await second.tokenizer(), tokenizer);
  const other = freshFolder();
  await cp(folder, other, { recursive: true });
  const copy = await openModel(other);
  assert.is.not(await copy.tokenizer(), tokenizer, "a copy, whose messages name its own file");
  await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify({ bos_token: "a" }));
  const changed = await second.tokenizer();
  assert.is.not(changed, tokenizer);
  assert.is(changed.prefix?.text, "a");
  for (const model of [first, second, copy]) await model.close();
});

test("the address depends on every value, the configuration and the tokenizer, not on shards", async () => {
  const address = await addressOf(await tiny({ seed: 5 }));
  assert.match(address, /^[0-9a-f]{64}$/);
  assert.is(await addressOf(await tiny({ seed: 5 })), address);
  assert.is(await addressOf(await tiny({ seed: 5, shards: 3 })), address);
  assert.is.not(await addressOf(await tiny({ seed: 6 })), address);
  const changed = await tiny({ seed: 5 });
  const path = join(changed, "model.safetensors");
  const bytes = await readFile(path);
  bytes[bytes.length - 1] = at(bytes, bytes.length - 1) ^ 1;
  await writeFile(path, bytes);
  assert.is.not(await addressOf(changed), address);
  for (const name of ["config.json", "tokenizer.json"]) {
    const folder = await tiny({ seed: 5 });
    await edit(join(folder, name), (text) => `${text} `);
    assert.is.not(await addressOf(folder), address, name);
  }
});

test("a model that changes on disk gets another address in the same process", async () => {
  const folder = await tiny({ seed: 7 });
  const address = await addressOf(folder);
  await writeTinyModel(folder, { seed: 8 });
  assert.is.not(await addressOf(folder), address);
});

test("values are read in every dtype, whole or by rows", async () => {
  for (const [dtype, tolerance] of [
    ["f32", 0],
    ["f16", 1e-3],
    ["bf16", 1e-2],
  ] as const) {
    const model = await openModel(await tiny({ seed: 2, dtype }));
    const full = await openModel(await tiny({ seed: 2, dtype: "f32" }));
    const name = "transformer.word_embeddings.weight";
    const values = await model.checkpoint.readF32(name);
    const expected = await full.checkpoint.readF32(name);
    const furthest = values.reduce((most, value, index) => Math.max(most, Math.abs(value - at(expected, index))), 0);
    assert.ok(furthest <= tolerance, `${dtype} differs by ${furthest}`);
    const rows = await model.checkpoint.readRowsF32(name, [259, 3]);
    assert.equal(rows, Float32Array.from([...values.subarray(259 * 32), ...values.subarray(96, 128)]));
    await model.close();
    await full.close();
  }
});

test("of a large tensor in half precision each part is read where it belongs, and a NaN is found at its index", async () => {
  const [vocabularySize, hiddenSize, name] = [40_000, 32, "transformer.word_embeddings.weight"] as const;
  for (const dtype of ["f16", "bf16"] as const) {
    const folder = await tiny({ dtype, vocabularySize, hiddenSize, blocks: 1 });
    const model = await openModel(folder);
    const byRows = await model.checkpoint.readRowsF32(
      name,
      Int32Array.from({ length: vocabularySize }, (_, row) => row),
    );
    assert.equal(await model.checkpoint.readF32(name), byRows);
    await model.close();
    putValue(folder, "word_embeddings.weight", 1_200_007, NaN);
    const broken = await openModel(folder);
    const error = await broken.checkpoint.readF32(name).catch((thrown: unknown) => thrown);
    assert.match(String(error), /word_embeddings\.weight has NaN at index 1200007;/);
    await broken.close();
  }
});

test("pickles are not opened, and the message says what to do", async () => {
  const folder = await tiny();
  await unlink(join(folder, "model.safetensors"));
  await writeFile(join(folder, "pytorch_model.bin"), "");
  assert.match(await refusal(folder), /only as pytorch_model\.bin.*convert to safetensors/);
});

test("a folder without weights, and none, are refused", async () => {
  const folder = await tiny();
  await unlink(join(folder, "model.safetensors"));
  assert.match(await refusal(folder), "has neither model.safetensors nor model.safetensors.index.json");
  const missing = await refusal(join(folder, "none"), InputOutputError);
  assert.match(missing, /^no model at .*none; give a folder in the layout of Hugging Face, a GGUF file, or hf:ORG\/NAME .* Hub$/);
  assert.match(await refusal(join(folder, "none.gguf"), InputOutputError), /^no model at .*none\.gguf; give .* a GGUF file/);
  assert.match(await refusal("", UsageError), /^a model is named by a folder, .* not ""$/, "and not the current folder");
  assert.match(await refusal("google/gemma-3-270m", InputOutputError), /; hf:google\/gemma-3-270m is the model of that name/);
});

test("missing shards are all listed", async () => {
  const folder = await tiny({ shards: 3 });
  await unlink(join(folder, "model-00001-of-00003.safetensors"));
  await unlink(join(folder, "model-00003-of-00003.safetensors"));
  assert.match(await refusal(folder), "model-00001-of-00003.safetensors is missing; model-00003-of-00003.safetensors is missing");
});

test("an index that contradicts its shards is refused with every fault", async () => {
  const swapped = await tiny({ shards: 2 });
  await rename(join(swapped, "model-00001-of-00002.safetensors"), join(swapped, "kept"));
  await cp(join(swapped, "model-00002-of-00002.safetensors"), join(swapped, "model-00001-of-00002.safetensors"));
  assert.match(await refusal(swapped), /is not in model-00001-of-00002\.safetensors; .* contradicts the index/);
  const outside = await tiny({ shards: 2 });
  await edit(join(outside, "model.safetensors.index.json"), (text) => text.replaceAll("model-00001", "../model-00001"));
  assert.match(await refusal(outside), "which is no safetensors file of this folder");
  const beside = await tiny({ shards: 2 });
  await cp(join(beside, "model-00001-of-00002.safetensors"), join(beside, "model-00009-of-00009.safetensors"));
  assert.match(await refusal(beside), "model-00009-of-00009.safetensors is not in the index");
});

for (const [name, bits] of [
  ["NaN", 0x7e00],
  ["Infinity", 0x7c00],
] as const) {
  test(`a weight of ${name} is refused with tensor and index, or read as 0 and listed`, async () => {
    const folder = await tiny();
    const path = join(folder, "model.safetensors");
    const tensor = "transformer.h.1.mlp.dense_4h_to_h.weight";
    const bytes = await readFile(path);
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString()) as Record<
      string,
      { data_offsets: number[] }
    >;
    bytes.writeUInt16LE(bits, 8 + Number(bytes.readBigUInt64LE(0)) + at(header[tensor]?.data_offsets ?? [], 0) + 2 * 130);
    await writeFile(path, bytes);
    // a command without the option opens it without, and names none
    for (const [options, end] of [
      [{ allowNonfinite: false }, /repair the model, or add --allow-nonfinite \(see --help\)$/],
      [{}, /repair the model$/],
    ] as const) {
      const strict = await openModel(folder, options);
      try {
        await strict.checkpoint.readF32(tensor);
        assert.unreachable();
      } catch (error) {
        assert.instance(error, BadDataError);
        assert.match(String(error), `tensor ${tensor} has ${name} at index 130`);
        assert.match(String(error), end);
      }
      await strict.close();
    }
    const lenient = await openModel(folder, { allowNonfinite: true });
    const values = await lenient.checkpoint.readF32(tensor);
    assert.is(values[130], 0);
    assert.equal([...lenient.checkpoint.nonfinite], [tensor]);
    await lenient.close();
  });
}

test("an unknown model type names the supported ones", async () => {
  const folder = await tiny();
  await edit(join(folder, "config.json"), (text) => text.replace('"model_type": "bloom"', '"model_type": "constructor"'));
  assert.match(
    await refusal(folder, FailedPreconditionError),
    'model_type "constructor" is not supported; supported: apertus, bert, bloom, cohere, cohere2, ',
  );
});

const configFaults: [string, (text: string) => string, RegExp][] = [
  [
    "a missing size",
    (text) => text.replace('"hidden_size": 32,', ""),
    /has shape \[260, 32\] where config\.json asks for \[260, 64\].* config\.json leaves out hidden_size \(64\), so the default is used/,
  ],
  [
    "a size that is no number",
    (text) => text.replace('"n_head": 4', '"n_head": "4"'),
    /n_head must be a whole number, at least 1, not "4"/,
  ],
  [
    "heads that do not divide",
    (text) => text.replace('"n_head": 4', '"n_head": 5'),
    /n_head must be a divisor of hidden_size 32, not 5/,
  ],
  [
    "more blocks than tensors",
    (text) => text.replace('"n_layer": 2', '"n_layer": 3'),
    /h\.2\.self_attention\.query_key_value\.weight is missing.*and \d+ more/,
  ],
  ["fewer blocks than tensors", (text) => text.replace('"n_layer": 2', '"n_layer": 1'), /transformer\.h\.1\.\S+ is unknown/],
  [
    "another shape",
    (text) => text.replace('"vocab_size": 260', '"vocab_size": 261'),
    /has shape \[260, 32\] where config\.json asks for \[261, 32\]/,
  ],
  ["a key twice", (text) => text.replace("{", '{ "n_head": 4,'), /has the key "n_head" twice/],
  [
    "a number beyond float64, also where nothing reads it",
    (text) => text.replace("{", '{ "vision_config": { "hidden_size": 1e999 },'),
    /config\.json has the number 1e999 at character 36, which is beyond the range of float64; correct it/,
  ],
  [
    "lists in lists",
    (text) => text.replace("{", `{ "n_head": ${"[".repeat(9000)}${"]".repeat(9000)},`),
    /config\.json is nested deeper than 100 levels at character 11\d; make it flatter/,
  ],
  ["no JSON", () => "bloom", /is not JSON/],
];
for (const [name, change, message] of configFaults) {
  test(`a configuration with ${name} is refused`, async () => {
    const folder = await tiny();
    await edit(join(folder, "config.json"), change);
    assert.match(await refusal(folder), message);
  });
}

test("greedy generation is what the logits say, and stops where the context ends", async () => {
  const model = await openModel(await tiny({ seed: 4, contextLength: 8 }));
  const continued = await generate(model, "abcd", 2, { threads: 1 });
  const longer = await generate(model, "abcd", 100, { threads: 1 });
  const tokenizer = await model.tokenizer();
  const forward = await model.forward({ threads: 1 });
  const ids = [...tokenizer.encode("abcd")];
  for (let added = 0; added < 4; added++) {
    let states = await forward.embed(Int32Array.from(ids));
    for (const index of model.blocks.keys()) states = await forward.block(index, states);
    const { values, columns } = await forward.logits(states);
    const last = [...values.subarray((ids.length - 1) * columns)];
    ids.push(last.indexOf(Math.max(...last)));
    if (added === 1) assert.is(continued, tokenizer.decode(ids.slice(4)));
  }
  assert.is(longer, tokenizer.decode(ids.slice(4)));
  await forward.close();
  await model.close();
});

test.run();
