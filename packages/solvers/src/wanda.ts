import { defineSolver } from "@mbs/contracts";
import { normPruningOptions, pruneByNorm } from "./pruning/norm-pruning.ts";
import { noCodes } from "./pruning/pattern.ts";

/** Wanda: prunes by |w| times the norm of the input, compared within each row; nothing is updated. */
export const wanda = defineSolver({
  name: "wanda",
  source: "https://arxiv.org/abs/2306.11695",
  summary: "prunes the weights with the smallest product of size and input norm in each row",
  needs: ["diagonal"],
  options: normPruningOptions,
  plannedCodes: noCodes,
  solve: (weight, { diagonal }, options) => pruneByNorm(weight, diagonal.map(Math.sqrt), options),
});
