import { readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * File names that exporters give to a decoder's graph, in order of preference: with a cache or without. One with quantised
 * weights can be evaluated only.
 */
const graphNames = [
  "model.onnx",
  "decoder_model.onnx",
  "decoder_model_merged.onnx",
  "model_fp16.onnx",
  "model_q4.onnx",
  "model_quantized.onnx",
];

/** Folders that may have it, relative to the model's. */
export const graphFolders = ["onnx", "."];

/** Path of the graph in a model folder that has one. */
export async function findGraph(folder: string): Promise<string | undefined> {
  for (const name of graphFolders) {
    const names = await readdir(join(folder, name)).catch((): string[] => []);
    const found = graphNames.find((name) => names.includes(name));
    if (found !== undefined) return join(folder, name, found);
  }
  return undefined;
}
