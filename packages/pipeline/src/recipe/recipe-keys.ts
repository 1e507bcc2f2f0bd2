import type { Propagation } from "./recipe.ts";

/** The first is the default. */
export const propagations = ["true-sequential", "sequential", "dense"] as const satisfies readonly Propagation[];

/** The name of an option in the library, "groupSize", for the one on the command line, "group-size", or for itself. */
export const optionName = (name: string): string => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Declaration of a key of a recipe. */
export interface RecipeKey {
  readonly takes: string;
  readonly description: string;
  /** Whether a recipe must have it. */
  readonly required?: boolean;
  /** The stage whose options it takes. */
  readonly stage?: string;
  /** Whether the stage runs before the plan is made, and is no node of it. */
  readonly isBefore?: boolean;
  /** Options of that stage which the recipe gives by itself. */
  readonly given?: readonly string[];
  /** Options which are those keys of the recipe, unless others are named. */
  readonly shared?: readonly "corpus"[];
  /** Options that must be there. */
  readonly needs?: readonly string[];
  /** Options of which one must be there. */
  readonly needsOneOf?: readonly string[];
  /** The only names under it; absent where a stage says which. */
  readonly names?: readonly string[];
  /** Options whose default is another in a recipe than on the command line, in words. */
  readonly defaults?: Readonly<Record<string, string>>;
}

/** Every key of a recipe, in the order in which a run needs them. */
export const recipeKeys = {
  model: {
    takes: "a folder, or hf:org/name@revision",
    description: "the model to compress: safetensors, config.json, tokenizer",
    required: true,
  },
  trim: {
    takes: "options, `keep` among them",
    description:
      "first of all, keep the tokens of these languages alone: `trim: { keep: [en, hi] }` ([what it is](vocabulary.md#trimming)). `sample` and `evaluate` then take their texts alone, unless they name `languages`, or the mix does. The trimmed model stays in `run/trimmed`. Absent: the vocabulary stays",
    stage: "trim",
    isBefore: true,
    given: ["model"],
    shared: ["corpus"],
    needs: ["keep"],
    defaults: { corpus: "the recipe's corpus" },
  },
  rotate: {
    takes: "options",
    description:
      "how the model is rotated before it is compressed: `rotate: {}` with the defaults ([what it is](quantisers.md#rotation)). The rotated model stays in `run/rotated`. Absent: not at all",
    stage: "rotate",
    isBefore: true,
    given: ["model"],
  },
  corpus: {
    takes: "a YAML manifest, a folder of LANG.* files, or hf:datasets/org/name?languages=…",
    description: "calibration texts by language",
    required: true,
  },
  sample: {
    takes: "options",
    description: "which segments are drawn from the corpus",
    stage: "sample",
    given: ["model", "corpus"],
  },
  propagation: {
    takes: propagations.join(", "),
    description:
      "which model computes the input of a site: one with all earlier sites compressed, also those of the same block (the default), one with the earlier blocks compressed, or the dense one (one pass, any mix afterwards)",
  },
  shards: {
    takes: "integer",
    description:
      "parts of the segments that several workers propagate and capture at once, and of what is large behind them; default 1. Results depend on this number in their last bits, not on the number of workers",
  },
  capture: {
    takes: "options",
    description: "which statistics of each site are computed",
    stage: "capture",
    given: ["model", "site", "shard"],
    defaults: { statistics: "what the solver needs" },
  },
  factor: {
    takes: "options",
    description: "how statistics of languages are mixed, and how H is damped and ordered",
    stage: "factor",
    given: ["blocks"],
    defaults: { order: "the solver's preferred order", upper: "what the solver needs" },
  },
  allocate: {
    takes: "options",
    description:
      "how the `sparsity` of compress is distributed over blocks or tensors ([pruning](multilingual-pruning.md)); or, with `bits-per-weight` or `size`, which bits or GGUF type each tensor gets ([bits where they count](quantisers.md#bits-where-they-count)). Absent: `pruning-damage` for a decoder pruned by `alps` or `sparsegpt` with QEP, otherwise `uniform`",
    stage: "allocate",
    given: [
      "model",
      "sparsity",
      "withoutFactors",
      "allowNonfinite",
      "groupSize",
      "symmetric",
      "minZeroPoint",
      "typeMix",
      "embeddings",
    ],
    defaults: { bits: "those that the format holds" },
  },
  compress: {
    takes: "options, `solver` among them",
    description: "the compression method, with its options",
    required: true,
    stage: "compress",
    given: ["model", "rows"],
    needs: ["solver"],
    defaults: { withoutFactors: "true for a solver that needs no statistics" },
  },
  assemble: {
    takes: "options",
    description: "how the model is written, with the options of the format",
    stage: "assemble",
    given: ["model", "allowNonfinite"],
  },
  evaluate: {
    takes: "options, `corpus` or `tasks` among them",
    description: "held-out texts and tasks, on which the model is scored before and after; absent: nothing is evaluated",
    stage: "evaluate",
    given: ["model", "shard"],
    defaults: { shares: "the distribution of sample, or that of the model's folder" },
    needsOneOf: ["corpus", "tasks"],
  },
  beside: {
    takes: "label: path of a model",
    description:
      "further models that `evaluate` scores on the same texts, such as a file of another program: `beside: { llama-quantize: other/model.gguf }`; needs `evaluate`",
  },
  gate: {
    takes: "limits, as `mbs gate` takes them",
    description:
      "what the model must keep of the dense one (`max-worst-rise: 5%`, `max-kl`, `min-task`, `max-task-loss`, `by`): beyond a limit the run ends with 1, its results in place; needs `evaluate`",
    names: ["maxWorstRise", "maxKl", "minTask", "maxTaskLoss", "by"],
  },
  quality: {
    takes: "options, `corpus` among them",
    description:
      "how `mbs run --quality best` compares ways of compressing; without that flag it changes nothing. `corpus` names validation texts, which neither `corpus` nor `evaluate` reads, `length`, `windows`, `field` and `shares` are those of `evaluate`; `average` is the rise that is to be lowest (unweighted, the default, weighted or worst), `budget` how many times the time of one compression the search may take (8)",
    needs: ["corpus"],
    names: ["corpus", "field", "length", "windows", "shares", "average", "budget"],
  },
  similarity: {
    takes: "boolean",
    description: "compare languages by their inputs to the first block; default false",
  },
  stages: {
    takes: "name: { stage, inputs, options }",
    description:
      "your own stages (`stage: ./mine.js`, or a package), or further runs of built-in stages, after everything else: [adding a stage](adding-a-stage.md). `inputs` says which key's artifacts each input reads (`statistics: capture`), or which earlier entry's; the result is `NAME.arrow` in the output",
  },
  keep: {
    takes: "boolean",
    description: "keep states, statistics and factors after their last use; default false",
  },
  output: {
    takes: "a folder",
    description: "where all results go: `model/`, `scores.arrow`, `similarity.arrow`, `recipe.yaml`, and `run/` to resume from",
    required: true,
  },
  hashes: {
    takes: "content addresses",
    description:
      "the inputs of a recorded recipe (`model`, `corpus`, `evaluationCorpus`): other inputs are refused. A run writes them into its `recipe.yaml`",
    names: ["model", "corpus", "evaluationCorpus", "threads", "device", "processors", "nodes"],
  },
} as const satisfies Readonly<Record<string, RecipeKey>>;

export type RecipeKeyName = keyof typeof recipeKeys;
