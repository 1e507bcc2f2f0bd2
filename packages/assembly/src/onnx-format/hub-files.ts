import type { Model } from "@mbs/models";
import { hasFile } from "../carried-files.ts";
import type { OutputFile } from "../format.ts";
import { editedConfig, jsonFile } from "../quantised-config.ts";

/** Model types of ours that transformers.js 4.3 has no class for: other programs run their files. */
const unknownThere: ReadonlySet<string> = new Set(["xglm", "mixtral"]);

/** A sentence for the user where transformers.js will not load the folder. */
export const transformersJsWarning = (modelType: string): string | undefined =>
  unknownThere.has(modelType)
    ? `transformers.js has no class for model_type ${modelType}: the ONNX file is for other programs`
    : undefined;

/** The weights that transformers.js is told of. */
export interface HubHints {
  /** Name of the model file's kind there: "q4" for model_q4.onnx, "fp32" for model.onnx. */
  readonly dtype: "q4" | "fp32";
  readonly file: string;
  /** How many files of weights it has. */
  readonly weightFiles: number;
  /** Of the cache of keys and values. */
  readonly cacheType: string;
}

/**
 * The files around an ONNX model that transformers.js reads before it and that the source has not as they must be:
 * config.json with hints on the weight files, and a tokenizer_config.json where there is none.
 *
 * @param model the one that was compressed
 */
export async function hubFiles(model: Model, { dtype, file, weightFiles, cacheType }: HubHints): Promise<OutputFile[]> {
  const hints = { dtype, kv_cache_dtype: cacheType, use_external_data_format: { [file]: weightFiles } };
  const tokenizer = "tokenizer_config.json";
  return [
    // how the source's weights were packed says nothing of those written here
    await editedConfig(model, { quantization_config: undefined, "transformers.js_config": hints }),
    ...((await hasFile(model.folder, tokenizer)) ? [] : [jsonFile(tokenizer, { tokenizer_class: "PreTrainedTokenizerFast" })]),
  ];
}
