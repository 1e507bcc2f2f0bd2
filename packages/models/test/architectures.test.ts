import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { isCarried, openModel, planGguf, writeSafetensors } from "../src/index.ts";
import { walkBlock } from "../src/testing.ts";
import type { ArchitectureModel, Model } from "../src/index.ts";

const fixtures = fileURLToPath(new URL("fixtures/forward/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "architectures-test-"));
test.after(() => rm(root, { recursive: true }));

type Config = Record<string, unknown>;

async function changed(fixture: string, change: (config: Config) => Config): Promise<string> {
  const folder = await mkdtemp(join(root, `${fixture}-`));
  await cp(`${fixtures}${fixture}`, folder, { recursive: true });
  const file = join(folder, "config.json");
  await writeFile(file, JSON.stringify(change(JSON.parse(await readFile(file, "utf8")) as Config)));
  return folder;
}

async function openArchitecture(folder: string): Promise<ArchitectureModel> {
  const model = await openModel(folder);
  if (model.kind !== "architecture") throw new Error(`${folder} is an ONNX model`);
  return model;
}

/** States after the last block. */
async function statesOf(folder: string, tokens: Int32Array, batch = 1): Promise<Float32Array> {
  const model = await openModel(folder);
  const forward = await model.forward({ threads: 1 });
  const length = tokens.length / batch;
  const embedded: Float32Array[] = [];
  for (let at = 0; at < batch; at++) {
    embedded.push((await forward.embed(tokens.subarray(at * length, (at + 1) * length))).values);
  }
  let states: Matrix = {
    rows: tokens.length,
    columns: model.stateWidth,
    values: Float32Array.from(embedded.flatMap((part) => [...part])),
  };
  for (const index of model.blocks.keys()) states = await forward.block(index, states, { batch });
  await forward.close();
  await model.close();
  return states.values;
}

const sitesOf = (model: Model): string[] =>
  at(model.blocks, 0).sites.map(({ name, width, weights }) =>
    [name, width, ...weights.map(({ tensor, rows, transposed }) => `${tensor} ${rows}${transposed ? " transposed" : ""}`)].join(
      " | ",
    ),
  );

const expectedSites: [string, string[]][] = [
  [
    "llama-grouped-f32",
    [
      "attention-qkv | 16 | model.layers.0.self_attn.q_proj.weight 16 | model.layers.0.self_attn.k_proj.weight 8 | model.layers.0.self_attn.v_proj.weight 8",
      "attention-output | 16 | model.layers.0.self_attn.o_proj.weight 16",
      "mlp-up | 16 | model.layers.0.mlp.gate_proj.weight 24 | model.layers.0.mlp.up_proj.weight 24",
      "mlp-down | 24 | model.layers.0.mlp.down_proj.weight 16",
    ],
  ],
  [
    "phi3-window-f32",
    [
      "attention-qkv | 16 | model.layers.0.self_attn.qkv_proj.weight 32",
      "attention-output | 16 | model.layers.0.self_attn.o_proj.weight 16",
      "mlp-up | 16 | model.layers.0.mlp.gate_up_proj.weight 48",
      "mlp-down | 24 | model.layers.0.mlp.down_proj.weight 16",
    ],
  ],
  [
    "qwen2-moe-window-normalised-bf16",
    [
      "attention-qkv | 16 | model.layers.0.self_attn.q_proj.weight 16 | model.layers.0.self_attn.k_proj.weight 8 | model.layers.0.self_attn.v_proj.weight 8",
      "attention-output | 16 | model.layers.0.self_attn.o_proj.weight 16",
      ...[0, 1, 2, 3].flatMap((expert) => [
        `expert-${expert}-up | 16 | model.layers.0.mlp.experts.${expert}.gate_proj.weight 8 | model.layers.0.mlp.experts.${expert}.up_proj.weight 8`,
        `expert-${expert}-down | 8 | model.layers.0.mlp.experts.${expert}.down_proj.weight 16`,
      ]),
      "shared-expert-up | 16 | model.layers.0.mlp.shared_expert.gate_proj.weight 16 | model.layers.0.mlp.shared_expert.up_proj.weight 16",
      "shared-expert-down | 16 | model.layers.0.mlp.shared_expert.down_proj.weight 16",
    ],
  ],
  [
    "gpt2-base-untied-f16",
    [
      "attention-qkv | 16 | h.0.attn.c_attn.weight 48 transposed",
      "attention-output | 16 | h.0.attn.c_proj.weight 16 transposed",
      "mlp-up | 16 | h.0.mlp.c_fc.weight 20 transposed",
      "mlp-down | 20 | h.0.mlp.c_proj.weight 16 transposed",
    ],
  ],
];
test("mt5-f32: blocks of the encoder come first, and cross-attention reads its stream", async () => {
  const model = await openModel(`${fixtures}mt5-f32`);
  assert.equal(
    model.blocks.map(({ name, stream, reads }) => [name, stream, ...reads]),
    [
      ["encoder.block.0", "encoder"],
      ["encoder.block.1", "encoder"],
      ["decoder.block.0", "hidden", "encoder"],
      ["decoder.block.1", "hidden", "encoder"],
      ["decoder.block.2", "hidden", "encoder"],
    ],
  );
  assert.equal(
    at(model.blocks, 1).sites.map(({ name, width }) => `${name} ${width}`),
    ["attention-qkv 16", "attention-output 24", "mlp-up 16", "mlp-down 24"],
  );
  assert.equal(
    at(model.blocks, 4).sites.map(({ name, stream, weights }) =>
      [
        name,
        stream ?? "own",
        ...weights.map(({ tensor, rows }) => `${tensor.replace("decoder.block.2.layer.", "")} ${rows}`),
      ].join(" | "),
    ),
    [
      "attention-qkv | own | 0.SelfAttention.q.weight 24 | 0.SelfAttention.k.weight 24 | 0.SelfAttention.v.weight 24",
      "attention-output | own | 0.SelfAttention.o.weight 16",
      "cross-attention-q | own | 1.EncDecAttention.q.weight 24",
      "cross-attention-kv | encoder | 1.EncDecAttention.k.weight 24 | 1.EncDecAttention.v.weight 24",
      "cross-attention-output | own | 1.EncDecAttention.o.weight 16",
      "mlp-up | own | 2.DenseReluDense.wi_0.weight 24 | 2.DenseReluDense.wi_1.weight 24",
      "mlp-down | own | 2.DenseReluDense.wo.weight 16",
    ],
  );
  await model.close();
});

test("m2m-100-f32: both stacks have biases and norms before their parts, and one embedding", async () => {
  const model = await openModel(`${fixtures}m2m-100-f32`);
  assert.equal(
    at(model.blocks, 3).sites.map(({ name, stream, weights }) =>
      [name, stream ?? "own", ...weights.map(({ tensor }) => tensor.replace("model.decoder.layers.1.", ""))].join(" | "),
    ),
    [
      "attention-qkv | own | self_attn.q_proj.weight | self_attn.k_proj.weight | self_attn.v_proj.weight",
      "attention-output | own | self_attn.out_proj.weight",
      "cross-attention-q | own | encoder_attn.q_proj.weight",
      "cross-attention-kv | encoder | encoder_attn.k_proj.weight | encoder_attn.v_proj.weight",
      "cross-attention-output | own | encoder_attn.out_proj.weight",
      "mlp-up | own | fc1.weight",
      "mlp-down | own | fc2.weight",
    ],
  );
  await model.close();
});

test("mbart-50-f32: values that it adds to logits are refused where they are not 0", async () => {
  const folder = await changed("mbart-50-f32", (config) => config);
  const file = join(folder, "model.safetensors");
  const bytes = await readFile(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start)) as Record<string, { data_offsets: [number, number] }>;
  const begin = header["final_logits_bias"]?.data_offsets[0] ?? 0;
  bytes.writeFloatLE(0.5, start + begin + 8);
  await writeFile(file, bytes);
  const error: unknown = await openModel(folder).catch((raised: unknown) => raised);
  assert.instance(error, FailedPreconditionError);
  assert.match(String(error), /tensor final_logits_bias has values other than 0, which are not supported/);
});

test("mt5-f32: sites have the rows of their streams", async () => {
  const model = await openModel(`${fixtures}mt5-f32`);
  const forward = await model.forward({ threads: 1 });
  const encoder = await forward.embed(Int32Array.of(5, 9, 33, 12, 7));
  const hidden = await forward.embed(Int32Array.of(0, 8));
  const reads = new Map([["encoder", encoder]]);
  const names = at(model.blocks, 2).sites.map(({ name }) => name);
  const all = await walkBlock(model, forward, 2, hidden, { reads });
  assert.equal(
    names.map((name) => all.sites.get(name)?.rows),
    [2, 2, 2, 5, 2, 2, 2],
  );
  assert.equal(all.sites.get("cross-attention-kv")?.values, encoder.values);
  await forward.close();
  await model.close();
});

for (const [fixture, expected] of expectedSites) {
  test(`${fixture}: all weights that read one input are one site, in order`, async () => {
    const model = await openModel(`${fixtures}${fixture}`);
    assert.equal(sitesOf(model), expected);
    await model.close();
  });
}

for (const fixture of ["gpt2-base-untied-f16", "gemma3-alternating-f32", "gpt-neox-parallel-f32", "xglm-unscaled-untied-bf16"]) {
  test(`${fixture}: every site is captured, and what is given for a weight counts after its site`, async () => {
    const model = await openModel(`${fixtures}${fixture}`);
    const forward = await model.forward({ threads: 1 });
    const states = await forward.embed(Int32Array.of(5, 9, 33, 12, 7));
    const names = at(model.blocks, 0).sites.map(({ name }) => name);
    const { sites } = await walkBlock(model, forward, 0, states);
    assert.equal([...sites.keys()].sort(), names.toSorted());
    // given as graphs use it, however the checkpoint stores it
    const output = at(at(at(model.blocks, 0).sites, 1).weights, 0).tensor;
    const own = await model.readWeight(output);
    const same = await walkBlock(model, forward, 0, states, { weights: new Map([[output, own]]) });
    const zero = await walkBlock(model, forward, 0, states, { weights: new Map([[output, own.map(() => 0)]]) });
    for (const name of names) assert.equal(same.sites.get(name)?.values, sites.get(name)?.values, name);
    assert.equal(zero.sites.get("attention-output")?.values, sites.get("attention-output")?.values);
    assert.not.equal(zero.states.values, same.states.values);
    for (const site of at(model.blocks, 0).sites) assert.is(sites.get(site.name)?.columns, site.width);
    await forward.close();
    await model.close();
  });
}

test("a text beyond a table of positions is refused with its length, and read where positions are computed", async () => {
  for (const [fixture, length, limited] of [
    ["gpt2-f32", 321, true],
    ["gpt2-f32", 320, false],
    ["xglm-f32", 321, false],
  ] as const) {
    const model = await openModel(`${fixtures}${fixture}`);
    assert.is(model.positionLimit, fixture === "gpt2-f32" ? 320 : undefined);
    const forward = await model.forward({ threads: 1 });
    try {
      // two segments, each by itself within its number of positions or beyond
      const { rows } = await forward.embed(new Int32Array(2 * length).fill(3), 2);
      assert.is(rows, 2 * length);
      assert.not.ok(limited, `${fixture} read ${length}`);
    } catch (error) {
      assert.ok(limited, String(error));
      assert.instance(error, BadDataError);
      assert.match(
        (error as Error).message,
        /a text of 321 tokens is longer than the 320 positions .*; take a shorter text, or --length 320 or less/,
      );
    }
    await forward.close();
    await model.close();
  }
});

for (const fixture of ["gemma3-alternating-f32", "mistral-window-f32", "gpt2-f32", "xglm-f32", "gpt-neox-parallel-f32"]) {
  test(`${fixture}: segments that run together give what each gives alone`, async () => {
    const tokens = Int32Array.from({ length: 60 }, (_, index) => 4 + ((index * index * 5 + index) % 60));
    const together = await statesOf(`${fixtures}${fixture}`, tokens, 3);
    for (const segment of [0, 1, 2]) {
      const alone = await statesOf(`${fixtures}${fixture}`, tokens.subarray(segment * 20, (segment + 1) * 20));
      const furthest = alone.reduce(
        (most, value, index) => Math.max(most, Math.abs(value - at(together, segment * alone.length + index))),
        0,
      );
      assert.ok(furthest < 1e-5, `segment ${segment} differs by ${furthest}`);
    }
  });
}

test("each expert's sites have the rows that were sent to it, none where no token was", async () => {
  const model = await openModel(`${fixtures}mixtral-f32`);
  const forward = await model.forward({ threads: 1 });
  const names = at(model.blocks, 0).sites.map(({ name }) => name);
  assert.equal(names.slice(2, 6), ["expert-0-up", "expert-0-down", "expert-1-up", "expert-1-down"]);
  assert.equal(
    at(at(model.blocks, 0).sites, 2).weights.map(({ tensor }) => tensor),
    ["model.layers.0.block_sparse_moe.experts.0.w1.weight", "model.layers.0.block_sparse_moe.experts.0.w3.weight"],
  );
  for (const tokens of [1, 50]) {
    const states = await forward.embed(Int32Array.from({ length: tokens }, (_, at) => 4 + ((at * 17) % 60)));
    const { sites } = await walkBlock(model, forward, 0, states);
    const rows = names.slice(2).map((name) => sites.get(name)?.rows ?? -1);
    // two of five experts a token, and two sites an expert
    assert.is(
      rows.reduce((sum, count) => sum + count, 0),
      2 * 2 * tokens,
    );
    rows.forEach((count, at) => assert.is(count, rows[at - (at % 2)]));
    if (tokens === 1) assert.is(rows.filter((count) => count === 0).length, 6);
  }
  await forward.close();
  await model.close();
});

for (const fixture of await readdir(fixtures)) {
  test(`${fixture}: a graph reads every tensor of the checkpoint`, async () => {
    const model = await openArchitecture(`${fixtures}${fixture}`);
    const { layout, blocks, checkpoint } = model;
    const { tokenInput } = layout;
    const ofTokens = tokenInput ? [tokenInput.table, tokenInput.projection, ...tokenInput.roles.values()] : [];
    const roles = [layout.embedRoles, layout.headRoles, ...[...blocks.keys()].map((index) => layout.blockRoles(index))];
    // nothing reads what must be 0
    const zeros = layout.tensors.filter((tensor) => tensor.zeros).map(({ name }) => name);
    const ofGraphs = roles.flatMap((tensors) => [...tensors.values()]);
    const read = new Set([layout.embedding, layout.head, ...ofTokens, ...zeros, ...ofGraphs]);
    assert.equal(
      checkpoint.list().filter(({ name }) => !read.has(name) && !isCarried(layout, name)),
      [],
    );
    await model.close();
  });
}

test("masks that older checkpoints of GPT-2 hold are ignored, other tensors are refused", async () => {
  const source = await openModel(`${fixtures}gpt2-base-untied-f16`);
  const stored = source.checkpoint.list();
  const contents = new Map(
    await Promise.all(stored.map(async (info) => [info.name, await source.checkpoint.readRaw(info.name)] as const)),
  );
  await source.close();
  const mask = { storedDtype: "U8", dtype: undefined, shape: [1, 1, 4, 4], bytes: 16, file: "model.safetensors" };
  for (const [name, message] of [
    ["h.1.attn.bias", undefined],
    ["h.1.attn.scale", /h\.1\.attn\.scale is unknown/],
  ] as const) {
    const folder = await changed("gpt2-base-untied-f16", (config) => config);
    const tensors = [...stored, { name, ...mask }];
    const bytes = writeSafetensors(tensors, { format: "pt" }, (tensor) => [contents.get(tensor.name) ?? new Uint8Array(16)]);
    await writeFile(join(folder, "model.safetensors"), bytes);
    if (message === undefined) await (await openModel(folder)).close();
    else
      await openModel(folder).then(
        () => assert.unreachable(),
        (error: unknown) => assert.match(String(error), message),
      );
  }
});

test("a head of its own counts in a T5, whatever the configuration says of ties", async () => {
  const tied = await changed("mt5-untied-sharded-bf16", (config) => ({ ...config, tie_word_embeddings: true }));
  const model = await openArchitecture(tied);
  assert.is(model.layout.head, "lm_head.weight");
  await model.close();
  const without = await openArchitecture(`${fixtures}mt5-f32`);
  assert.is(without.layout.head, "shared.weight");
  await without.close();
});

test("an older configuration of Gemma 3 says the same as the newer", async () => {
  // null counts as absent
  const older = await changed("gemma3-alternating-f32", (config) => ({
    ...config,
    rope_parameters: null,
    layer_types: null,
    rope_theta: 1000,
    rope_local_base_freq: 50,
    rope_scaling: { rope_type: "linear", factor: 4 },
    sliding_window_pattern: 2,
  }));
  const tokens = Int32Array.from({ length: 30 }, (_, at) => 4 + ((at * 7) % 60));
  assert.equal(await statesOf(older, tokens), await statesOf(`${fixtures}gemma3-alternating-f32`, tokens));
});

/** Sizes of global blocks as the Hub's configurations of Gemma 4 have them, in place of those that transformers writes. */
const asOnTheHub = (config: Config, sizes: Config): Config => ({
  ...Object.fromEntries(Object.entries(config).filter(([key]) => key !== "per_layer_config")),
  ...sizes,
});

const ofHub: [string, Config][] = [
  ["gemma4-shared-f32", { global_head_dim: 12, num_global_key_value_heads: null }],
  ["gemma4-keys-are-values-bf16", { global_head_dim: 8, num_global_key_value_heads: 2 }],
  // counts only where keys are values
  ["gemma4-shared-f32", { global_head_dim: 12, num_global_key_value_heads: 4 }],
];
for (const [fixture, sizes] of ofHub) {
  test(`${fixture}: ${JSON.stringify(sizes)} says the same as per_layer_config`, async () => {
    const hub = await changed(fixture, (config) => asOnTheHub(config, sizes));
    const tokens = Int32Array.from({ length: 30 }, (_, at) => 4 + ((at * 7) % 60));
    assert.equal(await statesOf(hub, tokens), await statesOf(`${fixtures}${fixture}`, tokens));
  });
}

test("layers of keys and values that files of Gemma 4 have for blocks which share those of others are not read", async () => {
  const fixture = `${fixtures}gemma4-shared-narrow-bf16`;
  const folder = await changed("gemma4-shared-narrow-bf16", (config) => config);
  const source = await openArchitecture(fixture);
  const names = ["k_proj", "v_proj", "k_norm"].map((name) => `self_attn.${name}.weight`);
  const copies = new Map(names.map((name) => [`model.layers.4.${name}`, `model.layers.3.${name}`]));
  const all = [
    ...source.checkpoint.list(),
    ...[...copies].map(([name, copied]) => ({ ...source.checkpoint.info(copied), name })),
  ];
  const content: Uint8Array[] = [];
  for await (const piece of writeSafetensors(all, {}, async function* read({ name }) {
    yield await source.checkpoint.readRaw(copies.get(name) ?? name);
  })) {
    content.push(piece.slice());
  }
  await writeFile(join(folder, "model.safetensors"), Buffer.concat(content));
  const model = await openArchitecture(folder);
  const sites = model.blocks.map((block) => at(block.sites, 0).weights.length);
  assert.equal(sites, [3, 3, 3, 3, 1, 1]);
  assert.not.ok([...copies.keys()].some((name) => model.reads.has(name)));
  await model.close();
  await source.close();
  const tokens = Int32Array.from({ length: 30 }, (_, at) => 4 + ((at * 7) % 60));
  assert.equal(await statesOf(folder, tokens), await statesOf(fixture, tokens));
});

test("a block of Gemma 4 reads the keys and values that an earlier one made of its own weights", async () => {
  const model = await openArchitecture(`${fixtures}gemma4-shared-f32`);
  const forward = await model.forward({ threads: 1 });
  const tokens = Int32Array.from({ length: 12 }, (_, at) => 4 + ((at * 7) % 60));
  const lastStates = async (changes: ReadonlyMap<string, Float32Array>): Promise<Matrix> => {
    let states = await forward.embed(tokens);
    for (const index of model.blocks.keys()) states = await forward.block(index, states, { weights: changes });
    return states;
  };
  const columns = ({ values, columns: width }: Matrix, from: number, to: number): number[] =>
    Array.from({ length: tokens.length }, (_, row) => [...values.subarray(row * width + from, row * width + to)]).flat();
  const before = await lastStates(new Map());
  assert.is(before.columns, model.stateWidth);
  // the token of each row is carried to the end
  assert.equal(columns(before, model.stateWidth - 1, model.stateWidth), [...tokens]);
  // block 1 is the last local one with keys of its own, block 2 the last global one
  for (const [block, from] of [
    [1, model.hiddenSize],
    [2, model.hiddenSize + 2 * 8],
  ] as const) {
    const name = `model.layers.${block}.self_attn.v_proj.weight`;
    const half = (await model.readWeight(name)).map((value, index) => (index % 3 === 0 ? -value : value));
    const after = await lastStates(new Map([[name, half]]));
    const width = block === 1 ? 8 : 12;
    assert.not.equal(columns(after, from + width, from + 2 * width), columns(before, from + width, from + 2 * width));
    assert.not.equal(columns(after, 0, model.hiddenSize), columns(before, 0, model.hiddenSize));
  }
  await forward.close();
  await model.close();
});

const unsupported: [string, string, unknown, RegExp][] = [
  ["llama-grouped-f32", "hidden_act", "mish", /hidden_act "mish" is not supported; supported: gelu, /],
  ["llama-grouped-f32", "rope_parameters", { rope_type: "dynamic" }, /rope_parameters\.rope_type "dynamic" is not supported/],
  ["qwen2-moe-f32", "mlp_only_layers", [1], /mlp_only_layers \[1\] is not supported; only \[\] is/],
  ["qwen2-moe-f32", "decoder_sparse_step", 2, /decoder_sparse_step 2 is not supported; only 1 is/],
  ["gemma2-plain-bf16", "use_bidirectional_attention", true, /use_bidirectional_attention true is not supported; only false is/],
  ["gemma3-softcap-untied-f16", "attn_logit_softcapping", 50, /attn_logit_softcapping 50 is not supported/],
  [
    "gemma2-plain-bf16",
    "layer_types",
    ["chunked_attention", "full_attention"],
    /layer_types .* is not supported; it takes 2 entries/,
  ],
  [
    "gemma4-shared-f32",
    "use_bidirectional_attention",
    "all",
    /use_bidirectional_attention "all" is not supported; supported: vision/,
  ],
  [
    "gemma4-shared-f32",
    "vocab_size_per_layer_input",
    32,
    /vocab_size_per_layer_input 32 is not supported; it takes a row for each token: 64/,
  ],
  [
    "gemma4-shared-f32",
    "per_layer_config",
    { 2: { head_dim: 12 } },
    /per_layer_config .* is not supported; sizes of its own has each kind/,
  ],
  [
    "gemma4-keys-are-values-bf16",
    "num_kv_shared_layers",
    1,
    /num_kv_shared_layers 1 is not supported; transformers shares keys only/,
  ],
  ["qwen3-5-f32", "attn_output_gate", false, /attn_output_gate false is not supported; only true is/],
  ["qwen3-5-f32", "mtp_use_dedicated_embeddings", true, /mtp_use_dedicated_embeddings true is not supported; only false is/],
  [
    "qwen3-5-f32",
    "layer_types",
    ["linear_attention", "sliding_attention", "full_attention", "full_attention"],
    /layer_types .* is not supported; it takes 4 entries of linear_attention, full_attention/,
  ],
  ["cohere-grouped-f32", "use_qk_norm", true, /use_qk_norm true is not supported; only false is/],
  ["apertus-llama3-f32", "hidden_act", "silu", /hidden_act "silu" is not supported; supported: xielu/],
  ["apertus-llama3-f32", "qk_norm", false, /qk_norm false is not supported; only true is/],
  [
    "hunyuan-biases-bf16",
    "rope_parameters",
    { rope_type: "dynamic", rope_theta: 100 },
    /rope_type "dynamic" is not supported; it has no alpha/,
  ],
  ["gpt2-f32", "scale_attn_by_inverse_layer_idx", true, /scale_attn_by_inverse_layer_idx true is not supported/],
  ["gpt2-f32", "add_cross_attention", true, /add_cross_attention true is not supported/],
  ["mixtral-f32", "hidden_act", "mish", /hidden_act "mish" is not supported/],
  ["mt5-f32", "feed_forward_proj", "gated-mish", /feed_forward_proj "gated-mish" is not supported; supported: gelu, /],
  [
    "lfm2-f32",
    "layer_types",
    ["conv", "conv", "sliding_attention", "conv"],
    /layer_types \[.*\] is not supported; it takes 4 entries of full_attention, conv/,
  ],
  ["lfm2-f32", "layer_types", ["conv", "full_attention"], /layer_types \[.*\] is not supported; it takes 4 entries/],
  [
    "mbart-50-f32",
    "tokenizer_class",
    "BarthezTokenizer",
    /tokenizer_class "BarthezTokenizer" is not supported; supported: MBart50Tokenizer, MBartTokenizer/,
  ],
  [
    "mbart-50-f32",
    "tokenizer_class",
    "MBartTokenizerFast",
    /decoder_start_token_id 2 is not supported; with tokenizer_class MBartTokenizer it is a language, or null/,
  ],
  ["m2m-100-f32", "eos_token_id", 1, /eos_token_id 1 is not supported; it is the pad_token_id, which has no position/],
  ["mt5-f32", "is_encoder_decoder", false, /is_encoder_decoder false is not supported; only true is/],
  ["xglm-f32", "pad_token_id", 3, /pad_token_id 3 is not supported/],
];
for (const [fixture, key, value, message] of unsupported) {
  test(`${fixture}: ${key} ${JSON.stringify(value)} is refused by name`, async () => {
    const folder = await changed(fixture, (config) => ({ ...config, [key]: value }));
    try {
      await (await openModel(folder)).close();
      assert.unreachable();
    } catch (error) {
      assert.instance(error, FailedPreconditionError, String(error));
      assert.match(String(error), message);
    }
  });
}

const broken: [string, Config, RegExp][] = [
  ["llama-grouped-f32", { num_key_value_heads: 3 }, /num_key_value_heads must be a divisor of num_attention_heads 4, not 3/],
  ["llama-grouped-f32", { head_dim: 2 ** 40 }, /head_dim must be at most 16777216, not 1099511627776/],
  ["llama-grouped-f32", { num_hidden_layers: 2 ** 24 }, /\/config\.json: num_hidden_layers must be at most 10000, not 16777216;/],
  ["mixtral-f32", { num_local_experts: 2 ** 24 }, /\/config\.json: num_local_experts must be at most 4096, not 16777216;/],
  ["mt5-f32", { num_decoder_layers: 10_001 }, /\/config\.json: num_decoder_layers must be at most 10000, not 10001;/],
  ["gemma4-shared-f32", { num_kv_shared_layers: 6 }, /num_kv_shared_layers must be at least 0, and less than 6 blocks, not 6/],
  ["gemma4-shared-f32", { num_kv_shared_layers: 4 }, /num_kv_shared_layers must be so few that each kind of block has one/],
  ["gemma4-experts-f32", { num_experts: null }, /num_experts must be a whole number, at least 1, where enable_moe_block is true/],
  ["gemma4-experts-f32", { top_k_experts: 6 }, /top_k_experts must be at most num_experts 5, not 6/],
  ["gemma4-shared-f32", { rope_parameters: {} }, /rope_parameters\.sliding_attention must be an object/],
  ["granite-multipliers-f32", { logits_scaling: 0 }, /logits_scaling must be above 0, not 0/],
  ["granite-multipliers-f32", { attention_multiplier: null }, /attention_multiplier must be above 0, not null/],
  ["granite-tied-biases-bf16", { tie_word_embeddings: false }, /lm_head\.weight is missing/],
  ["smollm3-still-f32", { no_rope_layers: [1, 0] }, /no_rope_layers must be a list of at least 5 numbers, not \[1,0\]/],
  [
    "smollm3-still-f32",
    { no_rope_layers: null, no_rope_layer_interval: 0 },
    /no_rope_layer_interval must be a whole number other/,
  ],
  ["mixtral-f32", { num_experts_per_tok: 6 }, /num_experts_per_tok must be at most num_local_experts 5, not 6/],
  ["mixtral-f32", { num_local_experts: 4 }, /experts\.4\.w1\.weight is unknown/],
  ["qwen2-moe-f32", { num_experts_per_tok: 6 }, /num_experts_per_tok must be at most num_experts 5, not 6/],
  ["qwen3-moe-normalised-f32", { num_experts_per_tok: 6 }, /num_experts_per_tok must be at most num_experts 5, not 6/],
  ["qwen3-5-f32", { linear_num_value_heads: 3 }, /linear_num_value_heads must be a multiple of linear_num_key_heads 2, not 3/],
  ["qwen3-5-f32", { full_attention_interval: 0 }, /full_attention_interval must be a whole number, at least 1, not 0/],
  ["qwen3-5-moe-f32", { num_experts_per_tok: 6 }, /num_experts_per_tok must be at most num_experts 5, not 6/],
  ["qwen2-moe-f32", { num_experts: 6 }, /experts\.5\.gate_proj\.weight is missing/],
  ["qwen2-moe-f32", { shared_expert_intermediate_size: 24 }, /shared_expert\.gate_proj\.weight has shape \[20, 16\]/],
  ["llama-grouped-f32", { rms_norm_eps: -1 }, /rms_norm_eps must be above 0, not -1/],
  ["gpt2-f32", { layer_norm_epsilon: -1 }, /layer_norm_epsilon must be above 0, not -1/],
  ["llama-grouped-f32", { attention_bias: true }, /layers\.0\.self_attn\.q_proj\.bias is missing/],
  ["llama-tied-biases-linear-f16", { mlp_bias: false }, /mlp\.gate_proj\.bias is unknown/],
  ["qwen3-tied-f16", { tie_word_embeddings: false }, /lm_head\.weight is missing/],
  ["m2m-100-f32", { d_model: 18 }, /d_model must be a multiple of encoder_attention_heads 4, not 18/],
  ["m2m-100-f32", { decoder_attention_heads: 3 }, /d_model must be a multiple of decoder_attention_heads 3, not 16/],
  ["m2m-100-f32", { d_model: 2 }, /d_model must be even and at least 4, not 2/],
  ["m2m-100-f32", { pad_token_id: 64 }, /pad_token_id must be a token below vocab_size 64, not 64/],
  ["m2m-100-f32", { tie_word_embeddings: false }, /(lm_head|embed_tokens)\.weight is missing/],
  ["m2m-100-f32", { decoder_layers: 3 }, /decoder\.layers\.2\.self_attn\.q_proj\.weight is missing/],
  ["mt5-f32", { eos_token_id: 64 }, /eos_token_id must be a token below vocab_size 64, not 64/],
  ["mt5-f32", { decoder_start_token_id: 0.5 }, /decoder_start_token_id must be a whole number, not 0\.5/],
  ["mt5-f32", { relative_attention_num_buckets: 2 }, /relative_attention_num_buckets must be at least 4, not 2/],
  ["mt5-f32", { relative_attention_max_distance: 16 }, /relative_attention_max_distance must be above half of .* 32, not 16/],
  ["mt5-f32", { num_decoder_layers: 2 }, /decoder\.block\.2\.layer\.0\.SelfAttention\.k\.weight is unknown/],
  ["mt5-f32", { num_layers: 3 }, /encoder\.block\.2\.layer\.0\.SelfAttention\.q\.weight is missing/],
  ["mt5-f32", { feed_forward_proj: "relu", is_gated_act: false }, /DenseReluDense\.wi\.weight is missing/],
  ["mt5-f32", { tie_word_embeddings: false }, /lm_head\.weight is missing/],
  ["mt5-f32", { d_kv: 4 }, /q\.weight has shape \[24, 16\] where config\.json asks for \[16, 16\]/],
  ["cohere2-sliding-f32", { sliding_window_pattern: 0 }, /sliding_window_pattern must be at least 1, not 0/],
  ["cohere2-sliding-f32", { sliding_window: null }, /sliding_window must be a whole number, at least 1, not null/],
  ["exaone4-full-tied-bf16", { layer_types: null }, /layer_types must be a list, unless there are a sliding_window/],
  [
    "hunyuan-biases-bf16",
    { head_dim: null },
    /head_dim must be a whole number, at least 1: transformers does not derive it, not null/,
  ],
  ["apertus-llama3-f32", { attention_bias: true }, /layers\.0\.self_attn\.q_proj\.bias is missing/],
  ["gpt2-f32", { n_inner: 32 }, /c_fc\.weight has shape \[16, 64\] where config\.json asks for \[16, 32\]/],
];
for (const [fixture, change, message] of broken) {
  test(`${fixture}: ${JSON.stringify(change)} is refused`, async () => {
    const folder = await changed(fixture, (config) => ({ ...config, ...change }));
    try {
      await (await openModel(folder)).close();
      assert.unreachable();
    } catch (error) {
      assert.instance(error, BadDataError, String(error));
      assert.match(String(error), message);
    }
  });
}

const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };

/** Models that are read, and that a GGUF file of their architecture cannot hold. */
const unsayable: [string, Config, RegExp][] = [
  ["smollm3-still-f32", { no_rope_layers: [1, 0, 1, 0, 1] }, /no_rope_layers of config\.json: not every fourth block is without/],
  ["smollm3-still-f32", { no_rope_layers: null, no_rope_layer_interval: 2 }, /no_rope_layer_interval of config\.json: not every/],
  ["qwen3-moe-normalised-f32", { norm_topk_prob: false }, /norm_topk_prob of config.json: shares of the chosen experts are left/],
  ["qwen3-moe-window-biased-tied-bf16", { norm_topk_prob: true }, /attention_bias of config.json: it is true, which GGUF files/],
  ["cohere-untied-biases-linear-f16", {}, /head_dim of config.json: it is 6 in place of hidden_size/],
  ["cohere2-types-biases-untied-bf16", {}, /tie_word_embeddings of config.json: the head is a matrix of its own/],
  ["cohere2-sliding-f32", { rope_parameters: { rope_theta: 100, ...llama3 } }, /rope_parameters .* scaled by "llama3"/],
  ["apertus-tied-biases-bf16", {}, /tie_word_embeddings of config.json: the head is the embedding/],
  ["exaone4-hybrid-f32", { head_dim: 6 }, /head_dim of config.json: it is 6 in place of hidden_size/],
  ["qwen3-5-f32", {}, /linear_value_head_dim of config.json: it is 8, and heads of keys have 6 elements, which GGUF files/],
  ["hunyuan-biases-bf16", {}, /attention_bias of config.json: it is true, which GGUF files/],
  ["olmo2-grouped-f32", { tie_word_embeddings: true }, /tie_word_embeddings of config.json: the head is the embedding/],
  ["seed-oss-output-biases-tied-f16", {}, /attention_out_bias of config.json: it is true, which GGUF files/],
  ["seed-oss-grouped-f32", { rope_parameters: { rope_theta: 100, ...llama3 } }, /rope_parameters .* scaled by "llama3"/],
  [
    "smollm3-still-f32",
    { rope_parameters: { rope_theta: 100, ...llama3 } },
    /rope_parameters .* positions are scaled by "llama3"/,
  ],
];
for (const [fixture, change, message] of unsayable) {
  test(`${fixture}: ${JSON.stringify(change)} is not written as GGUF`, async () => {
    const model = await openArchitecture(await changed(fixture, (config) => ({ ...config, ...change })));
    try {
      await planGguf(model, new Map());
      assert.unreachable();
    } catch (error) {
      assert.instance(error, FailedPreconditionError, String(error));
      assert.match(String(error), message);
    } finally {
      await model.close();
    }
  });
}

test.run();
