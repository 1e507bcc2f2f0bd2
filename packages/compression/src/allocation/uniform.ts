import { defineMethod } from "./allocation-method.ts";

/** Every step loses the same share: the reference for all others. */
export const uniform = defineMethod({
  name: "uniform",
  source: "https://arxiv.org/abs/2306.11695",
  summary: "the same for every step",
  options: {},
  importance: async () => 0,
  spread: () => 0,
});
