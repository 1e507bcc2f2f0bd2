import type { Model } from "@mbs/models";
import type { ForwardRates } from "./probes/forward-probe.ts";
import { weightsOf } from "./probes/forward-probe.ts";
import type { HeadRates } from "./probes/head-probe.ts";
import type { SiteRates } from "./probes/site-probe.ts";
import { sum } from "./sum.ts";

/*
 * Rates of a machine on which nothing was measured, on the pattern of those of Qwen2.5 0.5B on an x86-64 server: a time left is
 * computed with them until nodes of the run have told their own.
 */

/** Seconds of a floating-point operation on one thread. */
export const typicalOperation = 1 / 60e9;

export function typicalForward({ blocks }: Pick<Model, "blocks">, operation: number): ForwardRates {
  const weights = sum(blocks, weightsOf) / blocks.length;
  const block = 2.5 * weights * operation;
  return {
    sites: 0.8 * block,
    end: 0.2 * block,
    block,
    open: 0.5,
    weights: 1e-8 * weights,
  };
}

export function typicalHead(
  { hiddenSize, vocabularySize }: Pick<Model, "hiddenSize" | "vocabularySize">,
  operation: number,
): HeadRates {
  const head = 2.5 * hiddenSize * vocabularySize * operation;
  return { head, compare: 2 * head + 4e-9 * vocabularySize, spread: head + 4e-9 * vocabularySize };
}

export const typicalSite = (width: number, operation: number): SiteRates => ({
  gram: 1.5 * width ** 2 * operation,
  mean: 2.5e-9 * width ** 2,
  factor: 4 * width ** 3 * operation,
  solver: 5e-7 * width,
  errors: 3 * width ** 2 * operation,
  rounding: 5e-7 * width,
  roundingErrors: 3 * width ** 2 * operation,
});
