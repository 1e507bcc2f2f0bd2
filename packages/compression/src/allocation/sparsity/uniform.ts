import { defineSparsityMethod } from "./sparsity-method.ts";

/** Every block loses the same share: the reference for all others. */
export const uniform = defineSparsityMethod({
  name: "uniform",
  source: "https://arxiv.org/abs/2306.11695",
  summary: "the same for every block",
  options: {},
  importance: async () => 0,
  spread: () => 0,
});
