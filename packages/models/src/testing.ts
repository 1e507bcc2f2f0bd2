import { InternalError } from "@mbs/contracts";
import type { WeightDtype } from "./checkpoint.ts";

export interface TinyModelOptions {
  /** Same seed, same bytes. Default 0. */
  readonly seed?: number;
  /** Default 32; a multiple of `heads`. */
  readonly hiddenSize?: number;
  /** Default 4. */
  readonly heads?: number;
  /** Default 2. */
  readonly steps?: number;
  /** Default "f16". */
  readonly dtype?: WeightDtype;
  /** Number of safetensors files; more than 1 writes an index. Default 1. */
  readonly shards?: number;
  /** Put "transformer." before tensor names. Default true. */
  readonly prefix?: boolean;
  /** Default 128. */
  readonly contextLength?: number;
}

/**
 * Writes a random BLOOM model folder for tests: config.json, model.safetensors, tokenizer.json, tokenizer_config.json.
 * Its tokenizer is byte-level without merges, plus "<unk>", "<s>", "</s>" and "<pad>": id = 4 + byte, 260 entries,
 * so any text encodes to one token a byte.
 */
export async function writeTinyModel(folder: string, options: TinyModelOptions = {}): Promise<void> {
  throw new InternalError(`writeTinyModel is not written yet`, { folder, seed: options.seed ?? 0 });
}
