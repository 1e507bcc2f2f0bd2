import { readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * Names of a decoder's graph as exporters write it, the one that is taken first. With a cache or without; those whose
 * weights are quantised can be evaluated.
 */
const graphNames = [
  "model.onnx",
  "decoder_model.onnx",
  "decoder_model_merged.onnx",
  "model_fp16.onnx",
  "model_q4.onnx",
  "model_quantized.onnx",
];

/** Folders that may have it. */
const places = ["onnx", "."];

/** Path of the graph in a model folder that has one. */
export async function findGraph(folder: string): Promise<string | undefined> {
  for (const place of places) {
    const names = await readdir(join(folder, place)).catch((): string[] => []);
    const found = graphNames.find((name) => names.includes(name));
    if (found !== undefined) return join(folder, place, found);
  }
  return undefined;
}
