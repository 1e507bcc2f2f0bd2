import type { Stage } from "@mbs/contracts";

/** Every stage with the sentence of its help. Modules are loaded only when a stage is used: help must answer at once. */
export const stages: ReadonlyMap<string, { readonly summary: string; readonly load: () => Promise<Stage> }> = new Map([
  [
    "rotate",
    {
      summary: "Rotate the weights of a dense model so that it computes the same and quantises better.",
      load: async () => (await import("@mbs/rotation")).rotate,
    },
  ],
  [
    "rotate-statistics",
    {
      summary: "Make statistics of a rotated model from those of the dense one, without capturing again.",
      load: async () => (await import("@mbs/rotation")).rotateStatistics,
    },
  ],
  [
    "trim",
    {
      summary: "Write a smaller model for some languages, without the tokens that they never use.",
      load: async () => (await import("@mbs/trimming")).trim,
    },
  ],
  [
    "sample",
    {
      summary: "Draw segments of text of each language, as many as a mix says.",
      load: async () => (await import("@mbs/corpus-sampling")).sample,
    },
  ],
  [
    "capture",
    {
      summary:
        "Compute the statistics of each site and language: for all blocks from segments, or for one block from the states before it.",
      load: async () => (await import("@mbs/activation-capture")).capture,
    },
  ],
  [
    "propagate",
    {
      summary: "Run segments through the embedding, or states through the next block with its compressed layers.",
      load: async () => (await import("@mbs/activation-capture")).propagate,
    },
  ],
  [
    "add",
    {
      summary: "Add the statistics of shards, which were captured apart, to those of all segments.",
      load: async () => (await import("@mbs/activation-capture")).add,
    },
  ],
  [
    "factor",
    {
      summary: "Mix the languages' statistics of each site and factorise the inverse of its Hessian.",
      load: async () => (await import("@mbs/hessian-solving")).factor,
    },
  ],
  [
    "allocate",
    {
      summary:
        "Choose the sparsity of each block or tensor, or the bits or GGUF type of each tensor, from statistics of the model's inputs.",
      load: async () => (await import("@mbs/compression")).allocate,
    },
  ],
  [
    "compress",
    {
      summary: "Compress the weights of each site by a solver: quantise, prune, or both.",
      load: async () => (await import("@mbs/compression")).compress,
    },
  ],
  [
    "join-layers",
    {
      summary: "Join layers whose rows were compressed apart.",
      load: async () => (await import("@mbs/compression")).joinLayers,
    },
  ],
  [
    "assemble",
    {
      summary: "Write the compressed model: a Hugging Face folder, or files for llama.cpp (gguf) or for ONNX Runtime (onnx).",
      load: async () => (await import("@mbs/assembly")).assemble,
    },
  ],
  [
    "imatrix",
    {
      summary: "Write importance matrices for llama.cpp from the languages' statistics, mixed as you like.",
      load: async () => (await import("@mbs/imatrix")).imatrix,
    },
  ],
  [
    "read-imatrix",
    {
      summary: "Read importance matrices of llama.cpp as statistics, for solvers that need diagonals, or to mix them.",
      load: async () => (await import("@mbs/imatrix")).readImatrix,
    },
  ],
  [
    "last-states",
    {
      summary: "Run a dense model over held-out texts once, for all evaluations that compare other models with it.",
      load: async () => (await import("@mbs/evaluation")).lastStates,
    },
  ],
  [
    "evaluate",
    {
      summary: "Measure perplexity, distance from the dense model and right answers to tasks, in each language.",
      load: async () => (await import("@mbs/evaluation")).evaluate,
    },
  ],
  [
    "join-scores",
    {
      summary: "Join scores whose windows and documents were evaluated apart.",
      load: async () => (await import("@mbs/evaluation")).joinScores,
    },
  ],
  [
    "similarity",
    {
      summary: "Compare languages by their inputs to the model's first block, or to every site.",
      load: async () => (await import("@mbs/language-similarity")).similarity,
    },
  ],
  [
    "predict",
    {
      summary: "Predict from statistics and layers what compression does to each language, without evaluating.",
      load: async () => (await import("@mbs/language-similarity")).predict,
    },
  ],
  [
    "mix",
    {
      summary: "Recommend how much calibration text each language gets, from what one compressed model lost in each.",
      load: async () => (await import("@mbs/mix-recommendation")).mix,
    },
  ],
]);

/** All stages, loaded. */
export async function loadStages(): Promise<ReadonlyMap<string, Stage>> {
  return new Map(await Promise.all([...stages].map(async ([name, { load }]): Promise<[string, Stage]> => [name, await load()])));
}
