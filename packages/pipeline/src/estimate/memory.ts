import { logitsAtATime, logitsOfTile } from "@mbs/models";
import type { Model } from "@mbs/models";
import type { Recipe } from "../recipe/recipe.ts";
import { computedStatistics } from "./computed-statistics.ts";
import { sum } from "./sum.ts";

/** Buffers are freed some time after their last use: measured peaks were 1.5 times what is alive, at widths 256 to 1024. */
const freedLate = 1.5;

/** States that evaluate keeps between steps at most, bytes. */
const evaluatedStates = 256 * 1024 * 1024;

/** Tokens whose logits are made together at most. */
const scoredTogether = 1024;

/**
 * What evaluate holds: the states of a language's windows, logits and their logarithmic softmax, and the head of a model; that
 * of the model before it too, as long as the pool has space for it.
 *
 * @param kept bytes that a pool keeps
 */
function evaluating({ kind, hiddenSize, vocabularySize }: Model, tokens: readonly number[], kept: number): number {
  if (tokens.length === 0) return 0;
  const head = vocabularySize * hiddenSize * 4;
  const most = Math.max(0, ...tokens);
  const states = Math.min(evaluatedStates, most * hiddenSize * 4);
  const logits = Math.min(kind === "graph" ? logitsAtATime : logitsOfTile, Math.min(scoredTogether, most) * vocabularySize) * 4;
  return states + 2 * logits + head + (head <= kept ? head : 0);
}

/**
 * Peak of resident memory, bytes: what is left of the probes, and the largest of what the stages hold on top.
 *
 * @param recipe completed for its solver
 * @param probed resident bytes after probing a step of this model
 * @param heldOutTokens tokens to score, a language each; empty where nothing is evaluated
 * @param kept bytes that the run's pool keeps
 */
export function memoryNeed(recipe: Recipe, model: Model, probed: number, heldOutTokens: readonly number[], kept: number): number {
  const sites = model.steps.flatMap((step) => step.sites);
  const square = Math.max(...sites.map(({ width }) => width * width * 4));
  const weight = Math.max(...sites.map(({ width, weights }) => width * sum(weights, ({ rows }) => rows) * 4));
  const { gram, upper } = computedStatistics(recipe);
  // factor: two packed Grams, H that becomes U, and five quarters of it; compress: U, H and four copies of the weight.
  const factoring = gram ? (upper ? 3.25 : 1) * square : 0;
  const compressing = (gram ? (upper ? 2.5 : 1.5) : 0) * square + 4 * weight;
  return freedLate * (probed + Math.max(factoring, compressing, evaluating(model, heldOutTokens, kept)));
}
