import { readFileSync, writeFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { at, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { bytesOfDtype, encodeWeights } from "@mbs/numbers";
import { readMatrix } from "@mbs/onnx";
import type { WeightDtype } from "@mbs/numbers";
import type { TensorInfo } from "./checkpoint/checkpoint.ts";
import { writeSafetensors } from "./checkpoint/safetensors-writer.ts";
import { indexFile, shardNumber, singleFile } from "./checkpoint/weight-files.ts";
import type { Forward, Model, BlockOptions } from "./folder/model.ts";
import { freeCut } from "./forward/block-walk.ts";
import { tinyTokenizer, tinyVocabulary } from "./tokenizer/tiny-tokenizer.ts";
import { loadArchitecture, supportedTypes } from "./architectures/architectures.ts";

/** `model_type`s of encoders, which predict no tokens. */
export const encoderTypes: readonly string[] = ["bert", "xlm-roberta"];

/** All others that can be opened. */
export const predictingTypes: readonly string[] = supportedTypes.filter((type) => !encoderTypes.includes(type));

export interface TinyModelOptions {
  /** Same seed, same bytes. Default 0. */
  readonly seed?: number;
  /** Default 32; a multiple of `heads`. */
  readonly hiddenSize?: number;
  /** Default 4. */
  readonly heads?: number;
  /** Default 2. */
  readonly blocks?: number;
  /** Default "f16". */
  readonly dtype?: WeightDtype;
  /** Number of safetensors files; more than 1 writes an index. Default 1. */
  readonly shards?: number;
  /** Put "transformer." before tensor names. Default true. */
  readonly prefix?: boolean;
  /** Default 128. */
  readonly contextLength?: number;
  /** Rows of the embedding, at least 260, the entries of the tokenizer. Default 260. */
  readonly vocabularySize?: number;
}

/** Uniform numbers in [-1, 1), the same for the same seed on every machine. */
function uniform(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), state | 1) + 0x6d2b79f5 + seed) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 31 - 1;
  };
}

/** What a folder of random weights is written with. */
type RandomModelOptions = Pick<TinyModelOptions, "seed" | "dtype" | "shards" | "prefix">;

/**
 * Writes a random model folder of any architecture for tests: config.json, model.safetensors, tokenizer.json,
 * tokenizer_config.json. Its tokenizer is byte-level without merges, plus "<unk>", "<s>", "</s>" and "<pad>": id = 4 + byte,
 * 260 entries, so any text encodes to one token a byte.
 *
 * @param config of transformers; its vocabulary has at least 260 rows
 */
export async function writeRandomModel(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  { seed = 0, dtype = "f16", shards = 1, prefix = false }: RandomModelOptions = {},
): Promise<void> {
  const architecture = await loadArchitecture(config["model_type"], "config.json");
  const tensors = architecture
    .read(config, "config.json")
    .layout.tensors.filter(({ required }) => required)
    .map(({ name, shape }): TensorInfo => ({
      name: prefix ? `transformer.${name}` : name,
      storedDtype: dtype.toUpperCase(),
      dtype,
      shape,
      bytes: shape.reduce((product, side) => product * side, bytesOfDtype(dtype)),
      file: "",
    }));
  const next = uniform(seed);
  const contents = new Map(tensors.map((tensor) => [tensor, encodeWeights(dtype, randomTensor(tensor, next))]));
  await mkdir(folder, { recursive: true });
  const writeJson = (name: string, value: object) => writeFile(join(folder, name), `${JSON.stringify(value, undefined, 2)}\n`);
  await writeJson("config.json", config);
  await writeJson("tokenizer.json", tinyTokenizer());
  await writeJson("tokenizer_config.json", { tokenizer_class: "PreTrainedTokenizerFast", unk_token: "<unk>", bos_token: "<s>" });

  const names = Array.from({ length: shards }, (_, shard) =>
    shards === 1 ? singleFile : `model-${shardNumber(shard, shards)}.safetensors`,
  );
  const weightMap = new Map<string, string>();
  for (const [shard, name] of names.entries()) {
    const own = tensors.slice(Math.floor((shard * tensors.length) / shards), Math.floor(((shard + 1) * tensors.length) / shards));
    for (const tensor of own) weightMap.set(tensor.name, name);
    await writeFile(
      join(folder, name),
      writeSafetensors(own, { format: "pt" }, (tensor) => {
        const content = contents.get(tensor);
        if (content === undefined) throw new InternalError(`tensor ${tensor.name} has no values`);
        return [content];
      }),
    );
  }
  if (shards > 1) {
    const total = tensors.reduce((sum, { bytes }) => sum + bytes, 0);
    await writeJson(indexFile, { metadata: { total_size: total }, weight_map: Object.fromEntries(weightMap) });
  }
}

/** Writes a random BLOOM model folder for tests, as `writeRandomModel`. */
export async function writeTinyModel(folder: string, options: TinyModelOptions = {}): Promise<void> {
  const { hiddenSize = 32, heads = 4, blocks = 2, dtype = "f16", prefix = true } = options;
  const config = {
    architectures: ["BloomForCausalLM"],
    model_type: "bloom",
    hidden_size: hiddenSize,
    n_layer: blocks,
    n_head: heads,
    vocab_size: options.vocabularySize ?? tinyVocabulary,
    seq_length: options.contextLength ?? 128,
    layer_norm_epsilon: 1e-5,
    tie_word_embeddings: true,
    bos_token_id: 1,
    eos_token_id: 2,
    pad_token_id: 3,
    torch_dtype: { f32: "float32", f16: "float16", bf16: "bfloat16" }[dtype],
  };
  await writeRandomModel(folder, config, { ...options, dtype, prefix });
}

/**
 * Puts another value into a tensor of a folder's model.safetensors.
 *
 * @param ending of the tensor's name
 * @param index of the value in the tensor
 * @returns the whole name
 */
export function putValue(folder: string, ending: string, index: number, value: number): string {
  const path = join(folder, singleFile);
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start)) as Record<
    string,
    { dtype: string; data_offsets: [number, number] }
  >;
  const found = Object.entries(header).find(([tensor]) => tensor.endsWith(ending));
  if (found === undefined) throw new InternalError(`no tensor ends with ${ending}`);
  const [name, entry] = found;
  const dtype = entry.dtype.toLowerCase() as WeightDtype;
  bytes.set(encodeWeights(dtype, Float32Array.of(value)), start + entry.data_offsets[0] + index * bytesOfDtype(dtype));
  writeFileSync(path, bytes);
  return name;
}

/** Norms near 1, small biases, weights that keep the scale of their input. */
function randomTensor({ name, shape }: TensorInfo, next: () => number): Float32Array {
  const length = shape.reduce((product, side) => product * side, 1);
  const isNorm = /layernorm\.weight$|ln_f\.weight$/.test(name);
  const [, columns] = shape;
  const scale = columns === undefined ? 0.1 : name.endsWith("word_embeddings.weight") ? 1 : 1.7 / Math.sqrt(columns);
  return Float32Array.from({ length }, () => (isNorm ? 1 : 0) + scale * next());
}

/** A block run site by site, for tests: the input of each of its sites, and the states after it. */
export async function walkBlock(
  { blocks }: Pick<Model, "blocks">,
  forward: Forward,
  index: number,
  states: Matrix,
  { weights, ...inputs }: BlockOptions = {},
): Promise<{ readonly sites: ReadonlyMap<string, Matrix>; readonly states: Matrix }> {
  const sites = new Map<string, Matrix>();
  let cut = await forward.beginBlock(index, states, inputs);
  try {
    while (sites.size < at(blocks, index).sites.length) {
      const { cut: after, inputs: found } = await forward.nextSites(cut, weights);
      cut = after;
      for (const [name, input] of found) sites.set(name, await readMatrix(input));
    }
    return { sites, states: await forward.endBlock(cut, weights) };
  } finally {
    freeCut(cut);
  }
}
