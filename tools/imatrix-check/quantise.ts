/**
 * llama-quantize as a library call: quantise.ts LLAMA MODEL.gguf TYPE[:EMBEDDING] OUTPUT.gguf [IMATRIX.gguf]
 *
 * LLAMA is a folder in which node-llama-cpp and koffi are installed. The imatrix is read by ggml's own functions, as llama.cpp's
 * common/imatrix-loader.cpp does it, and handed to llama_model_quantize. Embeddings are Q8_0, or what stands behind a colon:
 * "Q2_K:Q4_0". TYPE with "-pure" behind it takes one type for all tensors, where their width allows it.
 */
import { llamaFileTypes, loadNative } from "./ggml.ts";

/** `ggml_type` by name. */
const embeddingTypes: ReadonlyMap<string, number> = new Map([
  ["Q4_0", 2],
  ["Q5_0", 6],
  ["Q8_0", 8],
]);

const [folder, model, types = "", output, imatrix] = process.argv.slice(2);
const [type = "", embedding = "Q8_0"] = types.split(":");
const fileType = llamaFileTypes.get(type.replace(/-pure$/, ""));
const embeddingType = embeddingTypes.get(embedding);
if (
  folder === undefined ||
  model === undefined ||
  output === undefined ||
  fileType === undefined ||
  embeddingType === undefined
) {
  const named = `TYPE one of ${[...llamaFileTypes.keys()].join(", ")}, EMBEDDING of ${[...embeddingTypes.keys()].join(", ")}`;
  throw new Error(`quantise.ts LLAMA MODEL.gguf TYPE[:EMBEDDING] OUTPUT.gguf [IMATRIX.gguf], ${named}`);
}

const native = loadNative(folder);
const read = imatrix === undefined ? undefined : native.readImatrix(imatrix);
if (read !== undefined) {
  const { type: kind, datasets, chunks, means } = read;
  console.error(`${imatrix}: ${kind}, ${means.size} weights, ${chunks.join(" chunks of ")} tokens, ${datasets.join(" | ")}`);
}
native.quantize({ model, output, fileType, embeddingType, pure: type.endsWith("-pure"), means: read?.means });
