/** The native libraries of node-llama-cpp, called by koffi: those functions that llama-quantize consists of. */
import { join } from "node:path";
import { bind, imatrixMaker, loadLibraries, quantizeFields } from "../llama-cpp/libraries.ts";

/** An importance matrix as ggml reads it. */
export interface NativeImatrix {
  readonly type: string;
  readonly datasets: readonly string[];
  readonly chunks: readonly [count: number, size: number];
  /** E[x²] by weight, as llama-quantize makes it of sums and counts. */
  readonly means: ReadonlyMap<string, Float32Array>;
}

/** `llama_ftype` by name. */
export const llamaFileTypes: ReadonlyMap<string, number> = new Map([
  ["Q4_0", 2],
  ["Q2_K", 10],
  ["Q3_K_S", 11],
  ["Q3_K_M", 12],
  ["Q4_K_S", 14],
  ["Q4_K_M", 15],
  ["IQ2_XXS", 19],
  ["IQ2_XS", 20],
  ["IQ3_XXS", 23],
  ["IQ4_NL", 25],
  ["IQ3_S", 26],
  ["IQ3_M", 27],
  ["IQ2_S", 28],
  ["IQ2_M", 29],
  ["IQ4_XS", 30],
]);

export interface QuantizeJob {
  readonly model: string;
  readonly output: string;
  /** `llama_ftype` by number. */
  readonly fileType: number;
  /** `ggml_type` of embeddings; without it what the file type's mixture gives them. */
  readonly embeddingType?: number;
  /** One type for all tensors that can have it, without the mixture of the file type (default: the mixture). */
  readonly pure?: boolean;
  readonly means: ReadonlyMap<string, Float32Array> | undefined;
  /** Default 1. */
  readonly threads?: number;
}

export interface Native {
  readImatrix(path: string): NativeImatrix;
  /** @throws {Error} where llama_model_quantize says so */
  quantize(job: QuantizeJob): void;
}

/** llama.cpp as in node-llama-cpp 3.21.1. @param folder in which that and koffi are installed */
export const loadLlama = (folder: string) => loadLibraries(join(folder, "node_modules"), "0.4.0");

/** @param folder as for loadLlama */
export function loadNative(folder: string): Native {
  const { koffi, base, llama } = loadLlama(folder);

  const init = koffi.struct("gguf_init_params", { no_alloc: "bool", ctx: "void *" });
  const parameters = koffi.struct("llama_model_quantize_params", quantizeFields);
  const imatrixOf = imatrixMaker(koffi);
  const open = bind<unknown>(base, "gguf_init_from_file", "void *", "str", init);
  const findKey = bind<number>(base, "gguf_find_key", "int64", "void *", "str");
  const readText = bind<string>(base, "gguf_get_val_str", "str", "void *", "int64");
  const readNumber = bind<number>(base, "gguf_get_val_u32", "uint32", "void *", "int64");
  const listLength = bind<number>(base, "gguf_get_arr_n", "size_t", "void *", "int64");
  const listText = bind<string>(base, "gguf_get_arr_str", "str", "void *", "int64", "size_t");
  const firstTensor = bind<unknown>(base, "ggml_get_first_tensor", "void *", "void *");
  const nextTensor = bind<unknown>(base, "ggml_get_next_tensor", "void *", "void *", "void *");
  const nameOf = bind<string>(base, "ggml_get_name", "str", "void *");
  const dataOf = bind<unknown>(base, "ggml_get_data", "void *", "void *");
  const lengthOf = bind<number>(base, "ggml_nelements", "int64", "void *");

  function readTensors(context: unknown): ReadonlyMap<string, Float32Array> {
    const tensors = new Map<string, Float32Array>();
    for (let tensor = firstTensor(context); tensor; tensor = nextTensor(context, tensor)) {
      const name = nameOf(tensor);
      // the first one is the memory of all others, by bytes
      if (!/\.(in_sum2|counts)$/.test(name)) continue;
      const values = koffi.decode(dataOf(tensor), koffi.array("float", lengthOf(tensor), "Typed"));
      tensors.set(name, Float32Array.from(values as Float32Array));
    }
    return tensors;
  }

  return {
    readImatrix(path) {
      const contextPointer = koffi.alloc("void *", 1);
      const file = open(path, { no_alloc: false, ctx: contextPointer });
      if (!file) throw new Error(`ggml cannot read ${path}`);
      const tensors = readTensors(koffi.decode(contextPointer, "void *"));
      const means = new Map<string, Float32Array>();
      for (const [name, sums] of tensors) {
        if (!name.endsWith(".in_sum2")) continue;
        const weight = name.slice(0, -".in_sum2".length);
        const counts = tensors.get(`${weight}.counts`);
        if (counts === undefined) throw new Error(`${path}: no counts of ${weight}`);
        const width = sums.length / counts.length;
        const meanOf = (sum: number, index: number): number => {
          const count = Math.round(counts[Math.floor(index / width)] ?? NaN);
          return count > 0 ? sum / count : 1;
        };
        means.set(weight, sums.map(meanOf));
      }
      const datasets = findKey(file, "imatrix.datasets");
      return {
        type: readText(file, findKey(file, "general.type")),
        datasets: Array.from({ length: listLength(file, datasets) }, (_, index) => listText(file, datasets, index)),
        chunks: [readNumber(file, findKey(file, "imatrix.chunk_count")), readNumber(file, findKey(file, "imatrix.chunk_size"))],
        means,
      };
    },
    quantize({ model, output, fileType, embeddingType, pure = false, means, threads = 1 }) {
      const values = bind<Record<string, unknown>>(llama, "llama_model_quantize_default_params", parameters)();
      const quantize = bind<number>(llama, "llama_model_quantize", "uint32", "str", "str", koffi.pointer(parameters));
      const result = quantize(model, output, {
        ...values,
        nthread: threads,
        ftype: fileType,
        ...(embeddingType !== undefined && { token_embedding_type: embeddingType }),
        allow_requantize: true,
        pure,
        imatrix: means === undefined ? null : imatrixOf(means),
      });
      if (result !== 0) throw new Error(`llama_model_quantize failed with ${result}`);
    },
  };
}
