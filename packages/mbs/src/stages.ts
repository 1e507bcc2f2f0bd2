import type { Stage } from "@mbs/contracts";

/** Every stage with the sentence of its help. Modules are loaded only when a stage is used: help must answer at once. */
export const stages: ReadonlyMap<string, { readonly summary: string; readonly load: () => Promise<Stage> }> = new Map([
  [
    "sample",
    {
      summary: "Draw segments of calibration text for each language of a mix.",
      load: async () => (await import("@mbs/corpus-sampling")).sample,
    },
  ],
  [
    "capture",
    {
      summary: "Run the model on segments or states and keep statistics of each site and language.",
      load: async () => (await import("@mbs/activation-capture")).capture,
    },
  ],
  [
    "propagate",
    {
      summary: "Carry states through the embedding or through one compressed step.",
      load: async () => (await import("@mbs/activation-capture")).propagate,
    },
  ],
  [
    "solve",
    {
      summary: "Mix the statistics of languages and factorise them.",
      load: async () => (await import("@mbs/hessian-solving")).solve,
    },
  ],
  [
    "compress",
    {
      summary: "Quantise or prune the weights of each site by a solver.",
      load: async () => (await import("@mbs/compression")).compress,
    },
  ],
  [
    "assemble",
    {
      summary: "Write a model folder from layers and the model they were made from.",
      load: async () => (await import("@mbs/assembly")).assemble,
    },
  ],
  [
    "evaluate",
    {
      summary: "Measure perplexity and bits per byte of models in each language.",
      load: async () => (await import("@mbs/evaluation")).evaluate,
    },
  ],
  [
    "similarity",
    {
      summary: "Compare languages by what they put into the first step.",
      load: async () => (await import("@mbs/language-similarity")).similarity,
    },
  ],
]);
