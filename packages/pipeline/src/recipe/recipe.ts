import type { StageOptions } from "@mbs/contracts";

/** How statistics of a block are made: from the dense model, from compressed earlier blocks, or from compressed earlier sites too. */
export type Propagation = "dense" | "sequential" | "true-sequential";

/** A third-party stage in a recipe, or one more run of a built-in stage. */
export interface StageEntry {
  /** A name of this program's, a path such as ./mine.js, or an installed package. */
  readonly stage: string;
  /** Input of the stage → where its artifacts come from: keys of the recipe, or names of earlier entries. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  readonly options: StageOptions;
}

/**
 * What one run does, as a person wrote it. Options are those of the stages' commands without what the recipe gives itself (model, corpus).
 * Paths mean what they mean on the command line: they start at the working directory.
 */
export interface Recipe {
  readonly model: string;
  /** How the model's vocabulary is trimmed before everything else; absent where it stays as it is. */
  readonly trim?: StageOptions;
  /** How the model is rotated before everything else; absent where it stays as it is. */
  readonly rotate?: StageOptions;
  /** Calibration texts. */
  readonly corpus: string;
  readonly sample: StageOptions;
  readonly propagation: Propagation;
  /** Parts of the segments that are captured and propagated apart; 1 where they stay together. Another number gives other bits. */
  readonly shards: number;
  readonly capture: StageOptions;
  readonly factor: StageOptions;
  /** How `sparsity` of `compress` is spread over the blocks, or which bits or types tensors get; absent where all have the same. */
  readonly allocate?: StageOptions;
  /** `solver`, and the solver's own options. */
  readonly compress: StageOptions;
  /** How the model is written. */
  readonly assemble: StageOptions;
  /** `corpus`, and further options; absent when nothing is to be evaluated. */
  readonly evaluate?: StageOptions;
  /** Paths of further models that are scored on the same texts, by label; absent where there are none. */
  readonly beside?: Readonly<Record<string, string>>;
  /** Limits of what the model may lose, checked at the end of `mbs run`; absent where there are none. */
  readonly gate?: StageOptions;
  /** How `--quality best` compares candidates; absent where the recipe does not say. */
  readonly quality?: StageOptions;
  /** What is run last, by name, in this order. */
  readonly stages: ReadonlyMap<string, StageEntry>;
  /** Whether languages are to be compared by what they put into the first block. */
  readonly similarity: boolean;
  /** Whether states, statistics and factors are kept after their last use. */
  readonly keep: boolean;
  /** Folder of the run; the model is written to `model` in it. */
  readonly output: string;
  /** Content addresses of `model`, `corpus` and `evaluationCorpus` that the inputs of a recorded recipe must have. */
  readonly hashes?: StageOptions;
  /** "recipe.yaml:12" for the keys of a value; absent where the recipe is from no file. */
  readonly locate?: (keys: readonly string[]) => string;
}
