/**
 * Compares an importance matrix with what llama.cpp itself computes: collect.ts LLAMA MODEL.gguf SEGMENTS.arrow LANG COUNT
 *
 * Runs the first COUNT segments of a language through llama_decode and sums the squares of what every matrix product reads,
 * as llama-imatrix does, and through `mbs capture`; prints how far the means of channels are apart.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect, encodeSegments, openArtifact, parseMetadata, readFiles, readSegments } from "@mbs/artifacts";
import type { Segment } from "@mbs/artifacts";
import { capture } from "@mbs/activation-capture";
import { at } from "@mbs/contracts";
import { imatrix } from "@mbs/imatrix";
import { batchFields, bind } from "../llama-cpp/libraries.ts";
import { loadLlama, loadNative } from "./ggml.ts";

/** Sums of squares by weight, and of how many rows. */
type Sums = ReadonlyMap<string, { readonly squares: Float64Array; rows: number }>;

/*
 * Offsets in the structures of llama.cpp v0.4.0. Parameters are passed on as they come from llama.cpp, as whole numbers of 32
 * bits, larger than they are: the callee reads its part.
 */
const tensorAt = { type: 0, sides: 16, strides: 48, operation: 80, sources: 152, data: 248 } as const;
const contextAt = { context: 0, batch: 1, microBatch: 2, callback: 22 } as const;

/** Runs each segment alone, all tokens with an output, as llama-imatrix does. */
function collectSums(folder: string, model: string, segments: readonly Int32Array[]): Sums {
  const { koffi, binaries, base, ggml, llama } = loadLlama(folder);
  const modelParameters = koffi.struct("model_parameters", { values: koffi.array("int32", 40) });
  const contextParameters = koffi.struct("context_parameters", { values: koffi.array("int32", 50) });
  const batchType = koffi.struct("llama_batch", batchFields);
  bind(llama, "llama_backend_init", "void")();
  bind(ggml, "ggml_backend_load_all_from_path", "void", "str")(binaries);
  const nameOf = bind<string>(base, "ggml_get_name", "str", "void *");
  const operationName = bind<string>(base, "ggml_op_name", "str", "int");

  const sums = new Map<string, { squares: Float64Array; rows: number }>();
  const add = (tensor: unknown, ask: boolean): boolean => {
    if (operationName(koffi.decode(tensor, tensorAt.operation, "int32")) !== "MUL_MAT") return false;
    const name = nameOf(koffi.decode(tensor, tensorAt.sources, "void *"));
    if (!/^blk\..*\.weight$/.test(name)) return false;
    if (ask) return true;
    const read = koffi.decode(tensor, tensorAt.sources + 8, "void *");
    if (koffi.decode(read, tensorAt.type, "int32") !== 0) throw new Error(`${name} reads values that are not float32`);
    const numbers = (offset: number): number[] =>
      [...(koffi.decode(read, offset, koffi.array("int64", 4)) as Iterable<bigint | number>)].map(Number);
    const [width = 0, rows = 0] = numbers(tensorAt.sides);
    const [, stride = 0] = numbers(tensorAt.strides);
    const data = koffi.decode(read, tensorAt.data, "void *");
    const own = sums.get(name) ?? { squares: new Float64Array(width), rows: 0 };
    sums.set(name, own);
    own.rows += rows;
    for (let row = 0; row < rows; row += 1) {
      const values = koffi.decode(data, row * stride, koffi.array("float", width, "Typed")) as Float32Array;
      for (const [channel, value] of values.entries()) own.squares[channel] = at(own.squares, channel) + value * value;
    }
    return true;
  };
  const callback = koffi.register(add, koffi.pointer(koffi.proto("bool collect_sums(void *t, bool ask, void *data)")));

  const modelValues = bind<{ values: Int32Array }>(llama, "llama_model_default_params", modelParameters)();
  const { values } = bind<{ values: Int32Array }>(llama, "llama_context_default_params", contextParameters)();
  for (const field of [contextAt.context, contextAt.batch, contextAt.microBatch]) values[field] = 512;
  new BigInt64Array(values.buffer, values.byteOffset)[contextAt.callback / 2] = BigInt(koffi.address(callback));
  const opened = bind(llama, "llama_model_load_from_file", "void *", "str", modelParameters)(model, modelValues);
  const context = bind(llama, "llama_init_from_model", "void *", "void *", contextParameters)(opened, { values });
  if (!context) throw new Error(`llama.cpp cannot open ${model}`);
  const memory = bind(llama, "llama_get_memory", "void *", "void *")(context);
  const clear = bind(llama, "llama_memory_clear", "void", "void *", "bool");
  const decode = bind<number>(llama, "llama_decode", "int32", "void *", batchType);
  for (const tokens of segments) {
    const [token, logits] = [koffi.alloc("int32", tokens.length), koffi.alloc("int8", tokens.length)];
    koffi.encode(token, 0, koffi.array("int32", tokens.length), tokens);
    koffi.encode(logits, 0, koffi.array("int8", tokens.length), new Int8Array(tokens.length).fill(1));
    clear(memory, true);
    const batch = { n_tokens: tokens.length, token, embd: null, pos: null, n_seq_id: null, seq_id: null, logits };
    if (decode(context, batch) !== 0) throw new Error("llama_decode failed");
  }
  return sums;
}

/** E[x²] by weight: capture and imatrix of these segments, read by ggml. */
async function ownMeans(folder: string, model: string, path: string, segments: readonly Segment[]) {
  const context = { signal: new AbortController().signal, threads: 2, progress: () => undefined, warn: console.error };
  const { schema } = await openArtifact(path);
  const source = encodeSegments(segments, parseMetadata("segments", schema));
  const { statistics } = await capture.run({ source: [source] }, { model, statistics: "diagonal" }, context);
  if (statistics === undefined) throw new Error("capture made no statistics");
  const { files } = await imatrix.run({ statistics: [statistics] }, { model }, context);
  if (files === undefined) throw new Error("imatrix made no files");
  const work = await mkdtemp(join(tmpdir(), "imatrix-check-"));
  try {
    const pieces = (await collect(readFiles(files))).map(({ data }) => data);
    await writeFile(join(work, "imatrix.gguf"), Buffer.concat(pieces));
    return loadNative(folder).readImatrix(join(work, "imatrix.gguf")).means;
  } finally {
    await rm(work, { recursive: true });
  }
}

const median = (values: readonly number[]): number =>
  at(
    [...values].sort((a, b) => a - b),
    Math.floor(values.length / 2),
  );

const [folder, model, path, language, count] = process.argv.slice(2);
if (folder === undefined || model === undefined || path === undefined || language === undefined || count === undefined) {
  throw new Error("collect.ts LLAMA MODEL.gguf SEGMENTS.arrow LANG COUNT");
}
const all = await collect(readSegments(await openArtifact(path)));
const segments = all.filter((segment) => segment.language === language).slice(0, Number(count));
const means = await ownMeans(
  folder,
  model,
  path,
  segments.map((segment, index) => ({ ...segment, segment: index })),
);
const sums = collectSums(
  folder,
  model,
  segments.map(({ tokens }) => tokens),
);
console.log(`${sums.size} weights in llama.cpp, ${means.size} in the matrix; ${segments.length} segments of ${language}`);
const rows = [...sums].map(([name, { squares, rows: read }]) => {
  const own = means.get(name);
  if (own === undefined) throw new Error(`the matrix has no ${name}`);
  // a norm's weight of 0 makes a channel that is 0 in both
  const apart = [...own].flatMap((mean, channel) =>
    mean === 0 && squares[channel] === 0 ? [] : [Math.abs(at(squares, channel) / read / mean - 1)],
  );
  return { name, read, typical: median(apart), worst: Math.max(...apart) };
});
console.log(`median over weights of the median channel: ${(100 * median(rows.map(({ typical }) => typical))).toFixed(2)}% apart`);
for (const { name, read, typical, worst } of rows.sort((a, b) => b.typical - a.typical).slice(0, 5)) {
  console.log(`${name} (${read} tokens): median channel ${(100 * typical).toFixed(2)}%, worst ${(100 * worst).toFixed(1)}%`);
}
