import type { Propagation } from "./recipe.ts";

/** The first is the default. */
export const propagations = ["sequential", "dense", "true-sequential"] as const satisfies readonly Propagation[];

/** The name of an option in the library, "groupSize", for the one on the command line, "group-size", or for itself. */
export const optionName = (name: string): string => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** What may stand under a key of a recipe. */
export interface RecipeKey {
  readonly takes: string;
  readonly description: string;
  /** Whether a recipe must have it. */
  readonly required?: boolean;
  /** The stage whose options it takes. */
  readonly stage?: string;
  /** Options of that stage which the recipe gives by itself. */
  readonly given?: readonly string[];
  /** Options that must be there. */
  readonly needs?: readonly string[];
  /** The only names under it; absent where a stage says which. */
  readonly names?: readonly string[];
  /** Options whose default is another in a recipe than on the command line, in words. */
  readonly defaults?: Readonly<Record<string, string>>;
}

/** Every key of a recipe, in the order in which a run needs them. */
export const recipeKeys = {
  model: {
    takes: "a folder, or hf:org/name@revision",
    description: "the model to compress: safetensors, config.json, tokenizer.json",
    required: true,
  },
  corpus: {
    takes: "a YAML manifest, or a folder of LANG.* files",
    description: "calibration texts by language",
    required: true,
  },
  sample: {
    takes: "options",
    description: "which segments are drawn from them",
    stage: "sample",
    given: ["model", "corpus"],
  },
  propagation: {
    takes: propagations.join(", "),
    description:
      "what a step's statistics are taken behind: compressed earlier steps (the default), no compressed ones (one pass, any mix afterwards), or compressed earlier sites too",
  },
  capture: {
    takes: "options",
    description: "what is kept of the inputs of each site",
    stage: "capture",
    given: ["model", "site"],
  },
  factor: {
    takes: "options",
    description: "how languages are mixed, and H is damped and ordered",
    stage: "factor",
    given: [],
    defaults: { order: "what the solver likes best" },
  },
  allocate: {
    takes: "options",
    description: "how the `sparsity` of compress is spread over the steps; absent: every step loses the same",
    stage: "allocate",
    given: ["model", "sparsity", "allowNonfinite"],
  },
  compress: {
    takes: "options, `solver` among them",
    description: "the method, with options of its own",
    required: true,
    stage: "compress",
    given: ["model"],
    needs: ["solver"],
  },
  assemble: {
    takes: "options",
    description: "how the model is written, with options of the format's own",
    stage: "assemble",
    given: ["model"],
  },
  evaluate: {
    takes: "options, `corpus` among them",
    description: "held-out texts, on which the model is scored before and after; absent: nothing is evaluated",
    stage: "evaluate",
    given: ["model"],
    needs: ["corpus"],
  },
  similarity: {
    takes: "true or false",
    description: "compare languages by what they put into the first step; default false",
  },
  stages: {
    takes: "name: { stage, inputs, options }",
    description:
      "stages of your own (`stage: ./mine.js`, or a package), and further runs of ours, after all else: [adding a stage](adding-a-stage.md). `inputs` says which key's artifacts each input reads (`statistics: capture`), or which earlier entry's; the result is `NAME.arrow` in the output",
  },
  keep: {
    takes: "true or false",
    description: "keep states, statistics and factors after their last use; default false",
  },
  output: {
    takes: "a folder",
    description: "where everything goes: `model/`, `scores.arrow`, `similarity.arrow`, `recipe.yaml`, and `run/` to resume from",
    required: true,
  },
  hashes: {
    takes: "content addresses",
    description:
      "what a recorded recipe was made with (`model`, `corpus`, `evaluationCorpus`): other inputs are refused. A run writes them into its `recipe.yaml`",
    names: ["model", "corpus", "evaluationCorpus", "threads", "nodes"],
  },
} as const satisfies Readonly<Record<string, RecipeKey>>;

export type RecipeKeyName = keyof typeof recipeKeys;
