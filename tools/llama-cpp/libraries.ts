/** The native libraries of node-llama-cpp, called by koffi. Both are installed in a folder of their own, which users never need. */
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

type NativeFunction<Result> = (...values: readonly unknown[]) => Result;

export interface Library {
  func(name: string, result: unknown, parameters: readonly unknown[]): NativeFunction<unknown>;
}

/** The part of koffi that is used here. */
export interface Koffi {
  load(path: string, options: { readonly global: boolean }): Library;
  struct(name: string, fields: Readonly<Record<string, unknown>>): unknown;
  pointer(type: unknown): unknown;
  array(type: string, length: number, as?: "Typed"): unknown;
  sizeof(type: unknown): number;
  alloc(type: unknown, count: number): unknown;
  free(memory: unknown): void;
  decode(pointer: unknown, type: unknown): unknown;
  decode(pointer: unknown, offset: number, type: unknown): unknown;
  encode(pointer: unknown, offset: number, type: unknown, value: unknown): void;
  proto(declaration: string): unknown;
  register(call: (...values: readonly never[]) => unknown, type: unknown): unknown;
  address(pointer: unknown): bigint | number;
}

/** A function of a library by name, with the types of its result and its parameters. */
export const bind = <Result>(library: Library, name: string, result: unknown, ...types: readonly unknown[]) =>
  library.func(name, result, types) as NativeFunction<Result>;

/** Fields of `llama_batch`. */
export const batchFields = {
  n_tokens: "int32",
  token: "void *",
  embd: "void *",
  pos: "void *",
  n_seq_id: "void *",
  seq_id: "void *",
  logits: "void *",
} as const;

/** Fields of `llama_model_quantize_params` of v0.4.0; later versions have more behind them. */
export const quantizeFields = {
  nthread: "int32",
  ftype: "int32",
  output_tensor_type: "int32",
  token_embedding_type: "int32",
  allow_requantize: "bool",
  quantize_output_tensor: "bool",
  only_copy: "bool",
  pure: "bool",
  keep_split: "bool",
  dry_run: "bool",
  imatrix: "void *",
  kv_overrides: "void *",
  tt_overrides: "void *",
  prune_layers: "void *",
} as const;

/**
 * What makes an importance matrix as `llama_model_quantize` takes it of E[x²] by the name of a weight: a null-terminated array of
 * `llama_model_imatrix_data`. Its memory is not freed: the process ends soon.
 */
export function imatrixMaker(koffi: Koffi): (means: ReadonlyMap<string, Float32Array>) => unknown {
  const entry = koffi.struct("llama_model_imatrix_data", { name: "void *", data: "void *", size: "size_t" });
  return (means) => {
    const array = koffi.alloc(entry, means.size + 1);
    const put = (index: number, value: unknown): void => koffi.encode(array, index * koffi.sizeof(entry), entry, value);
    for (const [index, [name, values]] of [...means].entries()) {
      const text = koffi.array("char", Buffer.byteLength(name) + 1);
      const [nameMemory, data] = [koffi.alloc(text, 1), koffi.alloc("float", values.length)];
      koffi.encode(nameMemory, 0, text, name);
      koffi.encode(data, 0, koffi.array("float", values.length), values);
      put(index, { name: nameMemory, data, size: values.length });
    }
    put(means.size, { name: null, data: null, size: 0 });
    return array;
  };
}

/**
 * @param modules a node_modules folder with koffi and @node-llama-cpp/linux-x64
 * @param version of llama.cpp, whose structures the caller knows: "0.5.0"
 */
export function loadLibraries(modules: string, version: string) {
  const koffi = createRequire(join(resolve(modules), "package.json"))("koffi") as Koffi;
  const binaries = join(resolve(modules), "@node-llama-cpp/linux-x64/bins/linux-x64");
  const load = (name: string): Library => koffi.load(join(binaries, name), { global: true });
  const base = load("libggml-base.so");
  const ggml = load(`libggml.v${version}.so`);
  return { koffi, binaries, base, ggml, llama: load(`libllama.v${version}.so`) };
}
