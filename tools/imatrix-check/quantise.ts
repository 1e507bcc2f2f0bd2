/**
 * llama-quantize as a library call: quantise.ts LLAMA MODEL.gguf TYPE OUTPUT.gguf [IMATRIX.gguf]
 *
 * LLAMA is a folder in which node-llama-cpp and koffi are installed. The imatrix is read by ggml's own functions, as llama.cpp's
 * common/imatrix-loader.cpp does it, and handed to llama_model_quantize. Embeddings are Q8_0. TYPE with "-pure" behind it takes
 * one type for all tensors, where their width allows it.
 */
import { loadNative } from "./ggml.ts";

/** `llama_ftype` by name. */
const fileTypes: ReadonlyMap<string, number> = new Map([
  ["Q4_0", 2],
  ["Q2_K", 10],
  ["Q3_K_S", 11],
  ["Q3_K_M", 12],
  ["Q4_K_S", 14],
  ["IQ4_NL", 25],
  ["IQ4_XS", 30],
]);

const [folder, model, type = "", output, imatrix] = process.argv.slice(2);
const fileType = fileTypes.get(type.replace(/-pure$/, ""));
if (folder === undefined || model === undefined || output === undefined || fileType === undefined) {
  throw new Error(
    `quantise.ts LLAMA MODEL.gguf TYPE OUTPUT.gguf [IMATRIX.gguf], TYPE one of ${[...fileTypes.keys()].join(", ")}`,
  );
}

const native = loadNative(folder);
const read = imatrix === undefined ? undefined : native.readImatrix(imatrix);
if (read !== undefined) {
  const { type: kind, datasets, chunks, means } = read;
  console.error(`${imatrix}: ${kind}, ${means.size} weights, ${chunks.join(" chunks of ")} tokens, ${datasets.join(" | ")}`);
}
native.quantize({ model, output, fileType, pure: type.endsWith("-pure"), means: read?.means });
