import type { GgufContents } from "../../gguf/form/gguf-form.ts";
import type { ModelSettings } from "../../gguf/form/model-settings.ts";

/* Which blocks of a decoder see a window only, in GGUF files. */

const patternKey = "attention.sliding_window_pattern";

/** Whether each block of a model sees a window only. @param period every how many blocks one sees the whole text, without `layer_types` */
export function slidingBlocks(model: ModelSettings, period: number): readonly boolean[] {
  const types = model.find("layer_types");
  if (Array.isArray(types)) return types.map((type) => type === "sliding_attention");
  return Array.from({ length: model.number("num_hidden_layers") }, (_, block) => (block + 1) % period !== 0);
}

/** The same of a file. @param usual the period where the file does not say it, as llama.cpp takes it */
export function slidingOfFile({ metadata }: GgufContents, usual: number): readonly boolean[] {
  const blocks = metadata.count("block_count");
  const pattern = metadata.find(patternKey) ?? usual;
  if (typeof pattern === "object") {
    if (pattern.length < blocks) metadata.broken(patternKey, `a list of ${blocks} values`);
    return pattern.slice(0, blocks).map((value) => (typeof value === "boolean" ? value : value !== 0));
  }
  const period = metadata.findCount(patternKey) ?? usual;
  return Array.from({ length: blocks }, (_, block) => period > 0 && (block + 1) % period !== 0);
}

/** `layer_types` of config.json. */
export const layerTypesOf = (sliding: readonly boolean[]): readonly string[] =>
  sliding.map((isLocal) => (isLocal ? "sliding_attention" : "full_attention"));

/** Names the blocks with a window. @param usual the period that llama.cpp takes by itself: such blocks need no names */
export function putSliding(model: ModelSettings, sliding: readonly boolean[], usual?: number): void {
  if (usual !== undefined && sliding.every((isLocal, block) => isLocal === ((block + 1) % usual !== 0))) return;
  model.put(patternKey, { type: "array", of: "bool", value: sliding });
}
