import { availableMemory, InternalError, InterruptedError, UsageError } from "@mbs/contracts";
import type { Device, Matrix } from "@mbs/contracts";
import type { Forward, Model } from "../folder/model.ts";
import type { PairLanguages } from "./passages.ts";
import { likeliestTokens, requireToken } from "./likeliest-tokens.ts";
import { runBlocks } from "./run-blocks.ts";
import { hiddenStream, requireFiniteRows, tokensOf } from "./streams.ts";
import type { TokenTree } from "./token-tree.ts";

/** Part of the machine's memory that the weights of a model may take while it writes: each token reads all of them. */
const partForWeights = 0.5;

/** Memory for weights with which a forward pass keeps all blocks; absent where they are too large for that, and are read again. */
export function weightsForWriting({ blocks }: Pick<Model, "blocks">): { readonly weights?: number } {
  const values = blocks.flatMap(({ sites }) =>
    sites.map(({ width, weights }) => width * weights.reduce((sum, { rows }) => sum + rows, 0)),
  );
  // norms and biases are a hundredth at most
  const bytes = 4.1 * values.reduce((sum, own) => sum + own, 0);
  return bytes <= partForWeights * availableMemory() ? { weights: bytes } : {};
}

/** A text as a tree without branches. */
const chainOf = (ids: readonly number[]): TokenTree => ({
  tokens: Int32Array.from(ids),
  parents: Int32Array.from(ids.keys(), (row) => row - 1),
  positions: Int32Array.from(ids.keys()),
});

/** How the states of the last token of a growing text are computed: the earlier ones are read once where the model allows that. */
function lastStates(model: Model, forward: Forward, inputs: ReadonlyMap<string, Int32Array>) {
  const { tree } = forward;
  let cache = tree?.startCache();
  return async (ids: readonly number[]): Promise<Matrix> => {
    if (tree === undefined || cache === undefined) {
      return runBlocks(model, forward, new Map([...inputs, [hiddenStream, Int32Array.from(ids)]]));
    }
    // from there on all positions are others
    if (tree.longTexts !== undefined && cache.length > 0 && cache.length <= tree.longTexts && ids.length > tree.longTexts) {
      cache = tree.startCache();
    }
    const states = await tree.readOn(cache, chainOf(ids));
    requireFiniteRows({ made: "the blocks", segments: ["the text"] }, states);
    return states;
  };
}

/** What the streams of a model read of a text that it continues, answers or translates. */
async function inputsOf(
  model: Model,
  text: string,
  languages: PairLanguages | undefined,
): Promise<ReadonlyMap<string, Int32Array>> {
  const tokenizer = await model.tokenizer();
  const { ofPrompt, ofTranslation } = await model.passages();
  const tokens = tokenizer.encode(text);
  if (languages === undefined) {
    return ofPrompt(Int32Array.of(...(tokenizer.bos === undefined ? [] : [tokenizer.bos]), ...tokens));
  }
  if (ofTranslation === undefined) {
    throw new UsageError(`${model.path} reads no languages; leave out --source-language and --target-language`);
  }
  if (tokens.length === 0) throw new UsageError("the text has no token to translate; give at least a letter");
  return ofTranslation(tokens, languages);
}

interface GenerateOptions {
  readonly threads: number;
  readonly device?: Device | undefined;
  /** Is looked at between two tokens. */
  readonly signal?: AbortSignal;
  /** Of a text that is to be translated, and of its translation. */
  readonly languages?: PairLanguages;
}

/**
 * Greedy continuation of a text by a decoder, an encoder-decoder's answer to it, or its translation. An encoder-decoder, an ONNX
 * model and one with linear attention read the whole text again for each token: meant for a sentence, not for serving.
 *
 * @param tokens how many to add at most; fewer where the context is full
 * @returns the tokens of the continuation alone
 * @throws {UsageError} on a text without a token, where the tokenizer adds none, on one that fills the context, and on languages where the model reads none
 * @throws {FailedPreconditionError} without languages where the model reads them
 * @throws {BadDataError} where states or a logit are NaN or Infinity
 */
export async function generateTokens(
  model: Model,
  text: string,
  tokens: number,
  { threads, device, signal, languages }: GenerateOptions,
): Promise<readonly number[]> {
  const forward = await model.forward({ threads, device, ...weightsForWriting(model) });
  try {
    const inputs = await inputsOf(model, text, languages);
    const { end } = await model.passages();
    const ids = [...tokensOf(inputs, hiddenStream)];
    const given = ids.length;
    if (given === 0) throw new UsageError("the text has no token to continue; give at least a letter");
    const { contextLength = Infinity } = model;
    if (given >= contextLength) {
      throw new UsageError(
        `the text has ${given} tokens, which fill the ${contextLength} that the model reads; give a shorter one`,
      );
    }
    const limit = Math.min(given + tokens, contextLength);
    const statesOf = lastStates(model, forward, inputs);
    while (ids.length < limit) {
      if (signal?.aborted === true) throw new InterruptedError("generate: stopped");
      const states = await statesOf(ids);
      const last = states.values.subarray((states.rows - 1) * states.columns);
      const row = { rows: 1, columns: states.columns, values: last };
      const [found] = await likeliestTokens(forward, row, model.vocabularySize);
      if (found === undefined) throw new InternalError("no token follows a row of states");
      const next = requireToken(found, { model: model.path, text: "the text" });
      if (next === end) break;
      ids.push(next);
    }
    return ids.slice(given);
  } finally {
    await forward.close();
  }
}

/** The same as a text. */
export async function generate(...given: Parameters<typeof generateTokens>): Promise<string> {
  const [model] = given;
  return (await model.tokenizer()).decode(await generateTokens(...given));
}
