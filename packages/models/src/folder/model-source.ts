import type { WeightDtype } from "@mbs/numbers";
import type { TensorFile } from "../checkpoint/checkpoint.ts";
import type { ModelDescription } from "./model-description.ts";

/** Whether a path is that of a GGUF file, which is a model by itself. */
export const isGguf = (path: string): boolean => /\.gguf$/i.test(path);

/** Weights and description of a model, in whatever form they are stored. */
export interface ModelSource {
  /** The folder or file that it was opened from. */
  readonly path: string;
  /** Paths of the files on disk that hold its weights. */
  readonly weightFiles: readonly string[];
  /** The tensors as they are stored, for the address. */
  readonly stored: readonly TensorFile[];
  /** The tensors as a checkpoint has them: the same files, but for formats that are not read as they are stored. */
  readonly files: readonly TensorFile[];
  /** As in ArchitectureModel. */
  readonly writtenDtype: WeightDtype | undefined;
  /** What the user should know, a line each. */
  readonly notes: readonly string[];
  /** The name that a tensor has in the files, for messages; absent where that is the checkpoint's. */
  readonly nameInFile?: (tensor: string) => string;
  /** @throws {BadDataError} when configuration or tokenizer is missing or broken */
  readonly describe: () => Promise<ModelDescription>;
}
