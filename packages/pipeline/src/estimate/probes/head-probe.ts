import { createLogitComparison, openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { probedTokens } from "./forward-probe.ts";
import { seconds } from "./timing.ts";

/** Seconds of what a model predicts. */
export interface HeadRates {
  /** Of the loss of one token. */
  readonly head: number;
  /** Of the losses of one token by two models, and how far their predictions are from each other. */
  readonly compare: number;
  /** Of how likely each token of the vocabulary is at one position; 0 of a model whose head cannot be compressed. */
  readonly spread: number;
}

export const headNames = ["head", "compare", "spread"] as const satisfies (keyof HeadRates)[];

/** Where nothing is predicted. */
export const noHead = { head: 0, compare: 0, spread: 0 } satisfies HeadRates;

/** A token costs about the same from so many on. */
const headTokens = 128;

/**
 * Times predictions from the states of the embedding: what they are made of does not change the time.
 *
 * @param gemm operations a second of a large matrix product
 */
export async function measureHead(
  { path, hiddenSize, vocabularySize }: Model,
  { gemm, threads }: { readonly gemm: number; readonly threads: number },
): Promise<HeadRates> {
  const model = await openModel(path);
  const forward = await model.forward({ threads });
  try {
    const { length } = probedTokens(headTokens, hiddenSize * vocabularySize, gemm);
    const tokens = Int32Array.from({ length }, (_, index) => (index * 7919) % vocabularySize);
    const states = await forward.embed(tokens);
    const comparison = createLogitComparison(vocabularySize);
    const { embeddings } = forward;
    const worksOn = (rows: number) => {
      const some = { ...states, rows, values: states.values.subarray(0, rows * states.columns) };
      const [source, next] = [{ forward, states: some }, tokens.subarray(0, rows)];
      return {
        head: () => forward.score(some, next),
        compare: () => comparison.scored(source, source, next),
        spread: async () => embeddings?.spread(some),
      };
    };
    const found = { ...noHead };
    for (const name of headNames) {
      // the first reads the head and makes its session
      await worksOn(2)[name]();
      found[name] = (await seconds(threads, worksOn(length)[name])) / length;
    }
    return found;
  } finally {
    await forward.close();
    await model.close();
  }
}
