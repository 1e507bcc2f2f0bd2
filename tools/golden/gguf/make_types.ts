/**
 * Golden types: what llama_model_quantize chooses for each tensor, by type mix, of models of several shapes.
 *
 * usage: node --conditions=mbs-source --import tsx tools/golden/gguf/make_types.ts MODULES
 *   MODULES  a node_modules folder with koffi and @node-llama-cpp/linux-x64 (made with koffi 3.3.4 and node-llama-cpp 3.22.1,
 *            which has llama.cpp v0.5.0); no dependencies of this project
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { typeMixes, writeGguf } from "@mbs/gguf";
import type { GgufField } from "@mbs/gguf";
import { describeGguf } from "@mbs/models";
import { bind, imatrixMaker, loadLibraries, quantizeFields } from "../../llama-cpp/libraries.ts";

/** Sizes of a model whose tensors are made up: only names and shapes count. */
interface Shape {
  readonly architecture: string;
  readonly blocks: number;
  readonly hidden: number;
  readonly inner: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly experts?: number;
  readonly tied?: true;
  /** Query, key and value in one. */
  readonly joined?: true;
  /** BERT's: tables of positions and of types of tokens, and no gate. */
  readonly encoder?: true;
  /** Of Gemma 4: width of each block's own embedding, and how many blocks make keys and values. */
  readonly perLayer?: { readonly width: number; readonly makers: number };
  /** Of Gemma 4: experts beside the MLP, whose gate and up are one tensor. */
  readonly beside?: true;
}

const shapes: Readonly<Record<string, Shape>> = {
  "llama of 32 blocks": { architecture: "llama", blocks: 32, hidden: 256, inner: 256, heads: 4, kvHeads: 4 },
  "llama with grouped heads": { architecture: "llama", blocks: 20, hidden: 256, inner: 256, heads: 4, kvHeads: 1 },
  "llama of 80 blocks": { architecture: "llama", blocks: 80, hidden: 256, inner: 256, heads: 8, kvHeads: 1 },
  "narrow llama": { architecture: "llama", blocks: 9, hidden: 64, inner: 96, heads: 4, kvHeads: 2, tied: true },
  "narrow rows in gemma 3": { architecture: "gemma3", blocks: 18, hidden: 160, inner: 512, heads: 4, kvHeads: 1, tied: true },
  "llama with 8 experts": { architecture: "llama", blocks: 10, hidden: 256, inner: 256, heads: 4, kvHeads: 1, experts: 8 },
  "bloom of 24 blocks": {
    architecture: "bloom",
    blocks: 24,
    hidden: 256,
    inner: 256,
    heads: 4,
    kvHeads: 4,
    tied: true,
    joined: true,
  },
  "bert of 12 blocks": {
    architecture: "bert",
    blocks: 12,
    hidden: 256,
    inner: 512,
    heads: 4,
    kvHeads: 4,
    tied: true,
    encoder: true,
  },
  "gemma 4 with shared keys": {
    architecture: "gemma4",
    blocks: 20,
    hidden: 256,
    inner: 512,
    heads: 4,
    kvHeads: 1,
    tied: true,
    perLayer: { width: 32, makers: 9 },
  },
  "gemma 4 with experts": {
    architecture: "gemma4",
    blocks: 20,
    hidden: 256,
    inner: 512,
    heads: 4,
    kvHeads: 2,
    tied: true,
    experts: 4,
    beside: true,
  },
};

type Tensor = readonly [name: string, shape: readonly number[]];

function tensorsOf({ blocks, hidden, inner, heads, kvHeads, experts, tied, joined, encoder, perLayer, beside }: Shape): Tensor[] {
  const kv = (hidden / heads) * kvHeads;
  const attention = joined
    ? [["attn_qkv.weight", [hidden + 2 * kv, hidden]] as const]
    : ([
        ["attn_q.weight", [hidden, hidden]],
        ["attn_k.weight", [kv, hidden]],
        ["attn_v.weight", [kv, hidden]],
      ] as const);
  const gate = joined || encoder ? [] : (["gate"] as const);
  const isDense = experts === undefined || beside === true;
  const up = [...gate, "up"].map((name): Tensor =>
    isDense ? [`ffn_${name}.weight`, [inner, hidden]] : [`ffn_${name}_exps.weight`, [experts, inner, hidden]],
  );
  const down: Tensor = isDense ? ["ffn_down.weight", [hidden, inner]] : ["ffn_down_exps.weight", [experts, hidden, inner]];
  const ofExperts: Tensor[] =
    experts === undefined || beside === undefined
      ? []
      : [
          ["ffn_gate_up_exps.weight", [experts, 2 * inner, hidden]],
          ["ffn_down_exps.weight", [experts, hidden, inner]],
        ];
  const router: Tensor[] = experts === undefined ? [] : [["ffn_gate_inp.weight", [experts, hidden]]];
  const block: Tensor[] = [
    ["attn_norm.weight", [hidden]],
    ...attention,
    ["attn_output.weight", [hidden, hidden]],
    ...router,
    ...up,
    down,
    ...ofExperts,
    ...(perLayer === undefined
      ? []
      : ([
          ["inp_gate.weight", [perLayer.width, hidden]],
          ["proj.weight", [hidden, perLayer.width]],
        ] as const)),
  ];
  const ofBlock = (index: number): readonly Tensor[] =>
    index < (perLayer?.makers ?? blocks) ? block : block.filter(([name]) => !/^attn_[kv]\./.test(name));
  return [
    ["token_embd.weight", [64, hidden]],
    ...(encoder
      ? ([
          ["token_types.weight", [2, hidden]],
          ["position_embd.weight", [512, hidden]],
        ] as const)
      : []),
    ...(perLayer === undefined
      ? []
      : ([
          ["per_layer_token_embd.weight", [64, blocks * perLayer.width]],
          ["per_layer_model_proj.weight", [blocks * perLayer.width, hidden]],
        ] as const)),
    ...Array.from({ length: blocks }, (_, index) =>
      ofBlock(index).map(([name, shape]): Tensor => [`blk.${index}.${name}`, shape]),
    ).flat(),
    ["output_norm.weight", [hidden]],
    ...(tied ? [] : ([["output.weight", [64, hidden]]] as const)),
  ];
}

const count = (value: number): GgufField => ({ type: "u32", value });

async function writeModel(path: string, shape: Shape): Promise<void> {
  const { architecture: own, blocks, hidden, inner, heads, kvHeads, experts, perLayer } = shape;
  const metadata = new Map<string, GgufField>([
    ["general.architecture", { type: "string", value: own }],
    [`${own}.block_count`, count(blocks)],
    [`${own}.context_length`, count(512)],
    [`${own}.embedding_length`, count(hidden)],
    [`${own}.feed_forward_length`, count(inner)],
    [`${own}.attention.head_count`, count(heads)],
    [`${own}.attention.head_count_kv`, count(kvHeads)],
    [`${own}.attention.layer_norm_rms_epsilon`, { type: "f32", value: 1e-6 }],
    [`${own}.attention.layer_norm_epsilon`, { type: "f32", value: 1e-6 }],
    [`${own}.vocab_size`, count(64)],
    ["tokenizer.ggml.model", { type: "string", value: "no_vocab" }],
    ...(own !== "gemma4"
      ? []
      : ([
          [`${own}.embedding_length_per_layer_input`, count(perLayer?.width ?? 0)],
          [`${own}.attention.shared_kv_layers`, count(blocks - (perLayer?.makers ?? blocks))],
          [`${own}.attention.sliding_window`, count(8)],
          [
            `${own}.attention.sliding_window_pattern`,
            { type: "array", of: "bool", value: Array.from({ length: blocks }, (_, block) => block % 5 !== 4) },
          ],
          [`${own}.attention.key_length_swa`, count(hidden / heads)],
          [`${own}.attention.value_length_swa`, count(hidden / heads)],
        ] as const)),
    ...(experts === undefined
      ? []
      : ([
          [`${own}.expert_count`, count(experts)],
          [`${own}.expert_used_count`, count(2)],
        ] as const)),
  ]);
  const tensors = tensorsOf(shape).map(([name, sides]) => ({
    name,
    type: 0,
    shape: sides,
    bytes: 4 * sides.reduce((product, side) => product * side, 1),
  }));
  const pieces: Uint8Array[] = [];
  for await (const piece of writeGguf(metadata, tensors, ({ bytes }) => [new Uint8Array(bytes)])) pieces.push(piece);
  await writeFile(path, Buffer.concat(pieces));
}

const [modules] = process.argv.slice(2);
if (modules === undefined) throw new Error("usage: make_types.ts MODULES");
const { koffi, llama } = loadLibraries(modules, "0.5.0");
const parameters = koffi.struct("llama_model_quantize_params", { ...quantizeFields, max_buf_size: "size_t" });
const defaults = bind<Record<string, unknown>>(llama, "llama_model_quantize_default_params", parameters)();
const quantize = bind<number>(llama, "llama_model_quantize", "uint32", "str", "str", koffi.pointer(parameters));

const imatrixOf = imatrixMaker(koffi);

const root = await mkdtemp(join(tmpdir(), "gguf-types-"));
const golden: Record<string, unknown> = {};
for (const [title, shape] of Object.entries(shapes)) {
  const model = join(root, "model.gguf");
  await writeModel(model, shape);
  const means = new Map(
    tensorsOf(shape).map(([name, sides]) => [
      name,
      new Float32Array((sides.at(-1) ?? 1) * (sides.length > 2 ? (sides[0] ?? 1) : 1)).fill(1),
    ]),
  );
  // most mixes of codebook types are refused without one
  const imatrix = imatrixOf(means);
  const types: Record<string, Record<string, string>> = {};
  for (const { name, fileType, base } of typeMixes.values()) {
    if (/^B?F(16|32)$/.test(base)) continue;
    const output = join(root, "output.gguf");
    const parameters = { ...defaults, nthread: 1, ftype: fileType, ...(/^IQ[23]/.test(name) && { imatrix }) };
    if (quantize(model, output, parameters) !== 0) throw new Error(`${title}: ${name} failed`);
    const { tensors } = await describeGguf(output);
    types[name] = Object.fromEntries(
      tensors.filter(({ type }) => type !== "F32").map(({ name: tensor, type }) => [tensor, type]),
    );
    await rm(output);
  }
  const { architecture, blocks, heads, kvHeads, experts = 0 } = shape;
  golden[title] = { facts: { architecture, blocks, groupedHeads: heads / kvHeads, experts }, tensors: tensorsOf(shape), types };
  console.log(title);
}
await rm(root, { recursive: true });
const output = new URL("../../../packages/assembly/test/fixtures/gguf-types.json", import.meta.url);
const deflated = deflateSync(JSON.stringify(golden), { level: 9 }).toString("base64");
await writeFile(output, `${JSON.stringify({ deflated })}\n`);
