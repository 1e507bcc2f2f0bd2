import { InternalError } from "@mbs/contracts";
import type { Model } from "./model.ts";

export interface OpenModelOptions {
  /** Read NaN and Inf weights as 0 and list their tensors in `checkpoint.nonfinite` instead of refusing them. */
  readonly allowNonfinite?: boolean;
}

/**
 * Opens a Hugging Face model folder: safetensors weights, config.json, tokenizer.json.
 *
 * @throws {BadDataError} when a file is missing, broken, or contradicts another one
 */
export async function openModel(folder: string, options: OpenModelOptions = {}): Promise<Model> {
  throw new InternalError(`openModel(${folder}) is not written yet`, { allowNonfinite: options.allowNonfinite ?? false });
}
