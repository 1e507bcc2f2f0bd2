import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { processorSeconds } from "../../../../tools/test/processor-seconds.ts";
import { openMergeList, openModel, runBlocks } from "../../src/index.ts";
import { openGgufFile } from "../../src/gguf/gguf-file.ts";
import { contentOf, countingTensor, ggufBytes, numbers } from "./gguf-bytes.ts";
import type { TestFile, TestTensor, TypedValue } from "./gguf-bytes.ts";

const folder = await mkdtemp(join(tmpdir(), "open-gguf-"));
test.after(() => rm(folder, { recursive: true }));

interface Golden {
  readonly architecture: string;
  readonly source?: readonly number[];
  readonly tokens: readonly number[];
  readonly rows: readonly number[];
  /** Of an encoder its last states. */
  readonly logits?: readonly (readonly number[])[];
  readonly states?: readonly (readonly number[])[];
}

const fixtures = fileURLToPath(new URL("../fixtures/gguf/models/", import.meta.url));
const golden = JSON.parse(await readFile(`${fixtures}golden.json`, "utf8")) as Record<string, Golden>;

/** How far single precision may differ from transformers, as in forward.test.ts. */
const rounding = 1e-4;

async function distance(path: string, { source, tokens, rows, logits, states = [] }: Golden): Promise<number> {
  const model = await openModel(path);
  const forward = await model.forward({ threads: 1 });
  const inputs = new Map([
    ...(source === undefined ? [] : [["encoder", Int32Array.from(source)] as const]),
    ["hidden", Int32Array.from(tokens)] as const,
  ]);
  const last = await runBlocks(model, forward, inputs);
  const found = logits === undefined ? last : await forward.logits(last);
  await forward.close();
  await model.close();
  const distances = rows.flatMap((row, index) =>
    at(logits ?? states, index).map((expected, column) => Math.abs(expected - at(found.values, row * found.columns + column))),
  );
  return Math.max(...distances);
}

for (const [name, expected] of Object.entries(golden)) {
  test(`logits or states of ${name}.gguf are those of transformers`, async () => {
    const path = `${fixtures}${name}.gguf`;
    const model = await openModel(path);
    await model.close();
    assert.is(model.architecture, expected.architecture);
    assert.equal(model.notes, []);
    assert.equal(model.weightFiles, [path]);
    const found = await distance(path, expected);
    assert.ok(found < rounding, `they differ by ${found}`);
  });
}

const llama = `${fixtures}llama.gguf`;
const quantised = `${fixtures}llama-q8.gguf`;

async function write(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

test("a quantised tensor is read by rows and by ranges of bytes as it is read whole", async () => {
  const model = await openModel(quantised);
  const file = await openGgufFile(quantised);
  const { checkpoint } = model;
  for (const name of ["model.layers.0.self_attn.q_proj.weight", "model.layers.0.mlp.down_proj.weight", "model.norm.weight"]) {
    const info = checkpoint.info(name);
    assert.is(info.storedDtype, "F32");
    const whole = await checkpoint.readF32(name);
    const raw = new Uint8Array(whole.buffer, whole.byteOffset, whole.byteLength);
    assert.equal(await checkpoint.readRaw(name), raw);
    for (const [offset, length] of [
      [0, 3],
      [5, 1],
      [61, 66],
      [raw.length - 2, 2],
    ] as const) {
      assert.equal(await checkpoint.readRaw(name, offset, length), raw.slice(offset, offset + length), `${name} from ${offset}`);
    }
    const [, columns] = info.shape;
    if (columns === undefined) continue;
    const rows = await checkpoint.readRowsF32(name, [3, 0, 9]);
    assert.equal(rows, Float32Array.from([3, 0, 9].flatMap((row) => [...whole.subarray(row * columns, (row + 1) * columns)])));
  }
  file.close();
  await model.close();
});

test("configuration, tokenizer and licence are files, as a folder has them", async () => {
  const { metadata, tensors } = await contentOf(llama);
  const more: [string, TypedValue][] = [
    ["general.license", { string: "apache-2.0" }],
    ["tokenizer.chat_template", { string: "{{ messages }}" }],
  ];
  const model = await openModel(await write("licensed.gguf", ggufBytes({ metadata: [...metadata, ...more], tensors })));
  const text = async (name: string): Promise<Record<string, unknown>> =>
    JSON.parse(await model.files.text(name)) as Record<string, unknown>;
  assert.equal(await model.files.list(), [
    "README.md",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
  ]);
  assert.is(await model.files.text("README.md"), "---\nlicense: apache-2.0\n---\n");
  assert.equal(await text("generation_config.json"), { bos_token_id: 1, eos_token_id: 2, pad_token_id: 0 });
  assert.is((await text("tokenizer_config.json"))["chat_template"], "{{ messages }}");
  const config = await text("config.json");
  assert.match(await model.files.text("config.json"), /"rope_theta": 500000\.0,/);
  assert.is(config["dtype"], "float16");
  assert.is(config["rms_norm_eps"], 1e-6);
  assert.equal(config["rope_parameters"], {
    rope_theta: 500_000,
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  });
  await model.close();
});

const split = (index: number, count: number, total: number): [string, TypedValue][] => [
  ["split.no", { u32: index }],
  ["split.count", { u32: count }],
  ["split.tensors.count", { u32: total }],
];

/** Two files of one model. */
async function shards(total?: number): Promise<readonly [Uint8Array, Uint8Array]> {
  const { metadata, tensors } = await contentOf(llama);
  const half = Math.floor(tensors.length / 2);
  const part = (index: number, own: readonly TestTensor[], more: TestFile["metadata"] = []): Uint8Array =>
    ggufBytes({ metadata: [...more, ...split(index, 2, total ?? tensors.length)], tensors: own });
  return [part(0, tensors.slice(0, half), metadata), part(1, tensors.slice(half))];
}

test("a model of several files opens by any of them, as the same model", async () => {
  const [first, second] = await shards();
  const paths = [await write("m-00001-of-00002.gguf", first), await write("m-00002-of-00002.gguf", second)];
  const opened = await openModel(llama);
  const models = await Promise.all(paths.map((path) => openModel(path)));
  for (const model of models) {
    assert.equal(model.weightFiles, paths);
    assert.equal(
      model.checkpoint.files.map(({ file }) => file),
      ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
    );
    assert.equal(
      model.checkpoint.list().map(({ name }) => name),
      opened.checkpoint.list().map(({ name }) => name),
    );
    assert.equal(await model.readWeight("model.norm.weight"), await opened.readWeight("model.norm.weight"));
    await model.close();
  }
  assert.is(models[0]?.address, models[1]?.address);
  const golden = JSON.parse(await readFile(`${fixtures}golden.json`, "utf8")) as Record<string, Golden>;
  const expected = golden["llama"];
  assert.ok(expected && (await distance(at(paths, 1), expected)) < rounding);
  await opened.close();
});

test("heads of values that heads of keys cannot share are refused", async () => {
  const { metadata, tensors } = await contentOf(`${fixtures}qwen35-shared.gguf`);
  const changed = metadata.map(([key, value]): readonly [string, TypedValue] => [
    key,
    key === "qwen35.ssm.group_count" ? { u32: 3 } : value,
  ]);
  assert.match(
    await refusal(await write("shared.gguf", ggufBytes({ metadata: changed, tensors }))),
    /BadDataError: .*qwen35.ssm.time_step_rank must be a multiple of ssm.group_count 3, heads of values .*, not 4; convert/,
  );
});

test("factors of rotary pairs that do not fit a head are refused", async () => {
  const { metadata, tensors } = await contentOf(`${fixtures}gemma4-experts.gguf`);
  const cut = tensors.map((tensor) =>
    tensor.name === "rope_freqs.weight" ? { ...tensor, shape: [1], bytes: tensor.bytes.subarray(0, 4) } : tensor,
  );
  assert.match(
    await refusal(await write("factors.gguf", ggufBytes({ metadata, tensors: cut }))),
    /BadDataError: .*gemma4.attention.key_length must be twice the 1 values of rope_freqs.weight, not 16;/,
  );
});

async function refusal(path: string): Promise<string> {
  try {
    await (await openModel(path)).close();
  } catch (error) {
    assert.ok(error instanceof BadDataError || error instanceof FailedPreconditionError, String(error));
    assert.not.match(error.message, /\n/);
    return `${error.constructor.name}: ${error.message}`;
  }
  return "accepted";
}

test("files of a model that contradict each other are refused", async () => {
  const [first, second] = await shards();
  const path = await write("one-00001-of-00002.gguf", first);
  assert.match(await refusal(path), /one-00002-of-00002.gguf is missing/);
  await write("one-00002-of-00002.gguf", first);
  assert.match(await refusal(path), /has split.no 0, not 1; tensor \S+ is in .* and in .*; and \d+ more/);
  assert.match(
    await refusal(await write("other.gguf", second)),
    /one of 2 files of a model, and its name must end in -00001-of-00002/,
  );
  await write("one-00002-of-00002.gguf", second);
  await write("one-00001-of-00002.gguf", (await shards(99))[0]);
  assert.match(await refusal(path), /not the announced 99/);
});

const without = (metadata: TestFile["metadata"] = [], key: string): TestFile["metadata"] =>
  metadata.filter(([name]) => name !== key);

/** The metadata of a file whose vocabulary was trimmed. */
function trimmedFrom(rows: number): readonly [string, TypedValue] {
  const address = "0".repeat(64);
  const record = { source: address, tokenizer: address, corpus: address, rows, keep: ["en"], unnamed: [] };
  return ["mbs.trimming", { string: JSON.stringify(record) }];
}

const refused: [string, (file: Awaited<ReturnType<typeof contentOf>>) => TestFile, RegExp][] = [
  [
    "an architecture that is not supported",
    ({ metadata, tensors }) => ({
      metadata: [...(without(metadata, "general.architecture") ?? []), ["general.architecture", { string: "mamba" }]],
      tensors,
    }),
    /FailedPrecondition.*architecture "mamba" is not supported in GGUF files; supported: .*bloom, .*, t5/,
  ],
  [
    "no architecture",
    ({ metadata, tensors }) => ({ metadata: without(metadata, "general.architecture") ?? [], tensors }),
    /BadData.*names no general.architecture/,
  ],
  [
    "another thing than a model",
    ({ metadata, tensors }) => ({
      metadata: [...(without(metadata, "general.type") ?? []), ["general.type", { string: "imatrix" }]],
      tensors,
    }),
    /FailedPrecondition.*holds no model but "imatrix"/,
  ],
  [
    "a size that is missing",
    ({ metadata, tensors }) => ({ metadata: without(metadata, "llama.block_count") ?? [], tensors }),
    /llama.block_count must be a whole number, at least 1, not absent/,
  ],
  [
    "a size that is no number",
    ({ metadata, tensors }) => ({
      metadata: [...(without(metadata, "llama.block_count") ?? []), ["llama.block_count", { string: "2" }]],
      tensors,
    }),
    /llama.block_count must be a number, not "2"/,
  ],
  [
    "more blocks than any model has",
    ({ metadata, tensors }) => ({
      metadata: [...(without(metadata, "llama.block_count") ?? []), ["llama.block_count", { u32: 100_000_000 }]],
      tensors,
    }),
    /llama.block_count must be at most 10000, not 100000000/,
  ],
  [
    "a size that is an empty list",
    ({ metadata, tensors }) => ({
      metadata: [...(without(metadata, "llama.rope.freq_base") ?? []), ["llama.rope.freq_base", { f32s: [] }]],
      tensors,
    }),
    /llama.rope.freq_base must be one value, or one for each block, not an empty list/,
  ],
  [
    "a tensor that is missing",
    ({ metadata, tensors }) => ({ metadata, tensors: tensors.filter(({ name }) => name !== "blk.0.attn_output.weight") }),
    /^BadDataError: \S+\.gguf: the tensors do not fit the metadata: blk\.0\.attn_output\.weight is missing; is the file complete /,
  ],
  [
    "a tensor of another shape",
    ({ metadata, tensors }) => ({
      metadata,
      tensors: tensors.map((tensor) => (tensor.name === "blk.0.ffn_norm.weight" ? countingTensor(tensor.name, [4]) : tensor)),
    }),
    /: blk\.0\.ffn_norm\.weight has shape \[4\] where the metadata ask for \[\d+\]; is the file complete /,
  ],
  [
    "biases of query, key and value alone",
    ({ metadata, tensors }) => ({ metadata, tensors: tensors.filter(({ name }) => name !== "blk.0.attn_output.bias") }),
    /^FailedPreconditionError: \S+\.gguf has blk\.0\.attn_q\.bias, blk\.0\.attn_k\.bias, blk\.0\.attn_v\.bias, but not blk\.0\.attn_output\.bias; architecture llama is read with all of them or none: convert /,
  ],
  [
    "no embedding",
    ({ metadata, tensors }) => ({ metadata, tensors: tensors.filter(({ name }) => name !== "token_embd.weight") }),
    /has no tensor token_embd.weight/,
  ],
  [
    "a tensor that is unknown",
    ({ metadata, tensors }) => ({ metadata, tensors: [...tensors, countingTensor("blk.0.other.weight", [4])] }),
    /tensors blk.0.other.weight are unknown in architecture llama/,
  ],
  [
    "tokens that contradict the embedding",
    ({ metadata, tensors }) => ({
      metadata: metadata.map(([key, value]) =>
        key === "tokenizer.ggml.tokens" && "strings" in value ? [key, { strings: value.strings.slice(1) }] : [key, value],
      ),
      tensors,
    }),
    /tokenizer.ggml.tokens has 31 tokens, token_embd.weight has 32 rows/,
  ],
  [
    "a type that cannot be read",
    ({ metadata, tensors }) => ({
      metadata,
      tensors: tensors.map((tensor) =>
        tensor.name === "blk.0.ffn_up.weight"
          ? { ...tensor, type: 24, bytes: tensor.bytes.slice(0, tensor.bytes.length / 2) }
          : tensor,
      ),
    }),
    /FailedPrecondition.*tensor blk.0.ffn_up.weight is I8, which is not supported; supported: F32, F16, Q4_0/,
  ],
  [
    "a record of a trimmed vocabulary with fewer rows than are left",
    ({ metadata, tensors }) => ({ metadata: [...(metadata ?? []), trimmedFrom(31)], tensors }),
    /BadData.*\.gguf: mbs\.trimming says that the model had 31 rows, and it still has 32; write the file again from the trimmed/,
  ],
];

/** A file with a tensor of another form beside its own. */
const withTensor =
  (name: string) =>
  ({ metadata, tensors }: Awaited<ReturnType<typeof contentOf>>): TestFile => ({
    metadata,
    tensors: [...tensors, countingTensor(name, [4])],
  });

refused.push(
  [
    "query, key and value in one tensor",
    withTensor("blk.0.attn_qkv.weight"),
    /FailedPrecondition.*such as blk.0.attn_qkv.weight \(query, key and value in one\) are not read for architecture llama; .* without --fuse-qkv/,
  ],
  [
    "gate and up of the experts in one tensor",
    withTensor("blk.0.ffn_gate_up_exps.weight"),
    /FailedPrecondition.*blk.0.ffn_gate_up_exps.weight \(gate and up .*\) are not read .* without --fuse-gate-up-exps/,
  ],
  [
    "one tensor for each expert",
    withTensor("blk.0.ffn_up.0.weight"),
    /FailedPrecondition.*blk.0.ffn_up.0.weight \(one for each expert\) are not read .* with a newer llama.cpp/,
  ],
);

/** The multipliers that the config.json of a file has. */
const multipliersOf = async (path: string): Promise<Record<string, unknown>> => {
  const model = await openModel(path);
  await model.close();
  const config = JSON.parse(await model.files.text("config.json")) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(config).filter(([key]) => /_multiplier$|^logits_scaling$/.test(key)));
};

test("Granite without rotary positions is refused, and a multiplier of 0 is none", async () => {
  const { metadata, tensors } = await contentOf(`${fixtures}granite.gguf`);
  const written = (name: string, own: TestFile["metadata"]): Promise<string> =>
    write(name, ggufBytes({ metadata: own ?? [], tensors }));
  const still = await written("still.gguf", [...metadata, ["granite.rope.scaling.finetuned", { bool: false }]]);
  assert.match(await refusal(still), /FailedPrecondition.*granite.rope.scaling.finetuned false is not supported; positions must/);
  const keys = ["embedding_scale", "attention.scale", "residual_scale"].map((name) => `granite.${name}`);
  const others = metadata.filter(([key]) => !keys.includes(key));
  const none = { embedding_multiplier: 1, attention_multiplier: 0.5, residual_multiplier: 1, logits_scaling: 2.5 };
  assert.equal(await multipliersOf(await written("absent.gguf", others)), none);
  const zeros = keys.map((key): [string, TypedValue] => [key, { f32: 0 }]);
  assert.equal(await multipliersOf(await written("zeros.gguf", [...others, ...zeros])), none);
  const given = { embedding_multiplier: 3, attention_multiplier: 0.3, residual_multiplier: 0.25, logits_scaling: 2.5 };
  assert.equal(await multipliersOf(`${fixtures}granite.gguf`), given);
  assert.match(await refusal(await written("odd.gguf", without(metadata, "granite.logit_scale"))), /granite.logit_scale must be/);
});

for (const [name, change, expected] of refused) {
  test(`${name} is refused`, async () => {
    assert.match(await refusal(await write("refused.gguf", ggufBytes(change(await contentOf(llama))))), expected);
  });
}

test("a folder that holds a GGUF file names it", async () => {
  await write("only.gguf", new Uint8Array(0));
  assert.match(await refusal(folder), /has its weights as .*only.gguf.*; give the path of that file/);
});

test("a folder that holds model.gguf alone opens as that file", async () => {
  const own = await mkdtemp(join(tmpdir(), "gguf-folder-"));
  try {
    await copyFile(llama, join(own, "model.gguf"));
    const model = await openModel(own);
    assert.is(model.path, join(own, "model.gguf"));
    await model.close();
  } finally {
    await rm(own, { recursive: true });
  }
});

test("the merges of a file's tokenizer are read", async () => {
  const list = await openMergeList(llama);
  const { merges } = list;
  assert.is(merges.length, 1);
  assert.equal(list.symbols('!"'), Int32Array.of(at(merges, 0).left, at(merges, 0).right));
});

test("metadata that are not read are named", async () => {
  const { metadata, tensors } = await contentOf(llama);
  const more: [string, TypedValue] = ["llama.residual_scale", { f32: 0.5 }];
  const model = await openModel(await write("unread.gguf", ggufBytes({ metadata: [...metadata, more], tensors })));
  assert.match(model.notes.join(), /has metadata that are not read for this architecture: llama.residual_scale; if the model/);
  await model.close();
});

test("flipped bytes in the header of a model never crash, hang or take memory", async () => {
  const bytes = new Uint8Array(await readFile(llama));
  const file = await openGgufFile(llama);
  const header = Math.min(...file.tensors.map(({ begin }) => begin));
  file.close();
  const random = numbers(2026);
  const seconds = await processorSeconds(async () => {
    for (let round = 0; round < 400; round += 1) {
      const broken = bytes.slice();
      for (let flips = 1 + random(3); flips > 0; flips -= 1) {
        const offset = random(header);
        broken[offset] = (broken[offset] ?? 0) ^ (1 + random(255));
      }
      await refusal(await write("flipped.gguf", broken));
    }
  });
  assert.ok(seconds < 60, `${seconds} s`);
  assert.ok(process.memoryUsage().rss < 2e9);
});

test.run();
