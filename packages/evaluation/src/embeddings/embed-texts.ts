import { at, InterruptedError } from "@mbs/contracts";
import type { StageContext } from "@mbs/contracts";
import { advance, embedStreams, headStates, readPooling, requireFiniteStreams } from "@mbs/models";
import type { Model, StreamStates } from "@mbs/models";
import { pool } from "./pooling.ts";

/** A text of a language, as the corpus has it. */
export interface EmbeddedText {
  readonly language: string;
  /** Number within the language, from 0. */
  readonly number: number;
  readonly text: string;
}

/** Values of states in memory at a time: weights are read once for so many. */
const statesAtOnce = 16 * 1024 * 1024;

interface EmbedOptions extends Pick<StageContext, "signal" | "progress"> {
  /** Tokens of a text at most; what is behind them is cut off. */
  readonly length: number;
  readonly threads: number;
}

interface TokenText {
  readonly index: number;
  readonly tokens: Int32Array;
}

/** Texts in groups whose states fit in memory. */
function* groupTexts(texts: readonly TokenText[], hiddenSize: number): Generator<readonly TokenText[]> {
  let group: TokenText[] = [];
  let values = 0;
  for (const text of texts) {
    const own = text.tokens.length * hiddenSize;
    if (group.length > 0 && values + own > statesAtOnce) {
      yield group;
      [group, values] = [[], 0];
    }
    group.push(text);
    values += own;
  }
  if (group.length > 0) yield group;
}

/**
 * The embeddings of texts by an encoder, pooled as the model says, each of length 1. A text is read by itself, so nothing is
 * padded.
 *
 * @returns [hidden] of each text, in their order
 * @throws {BadDataError} naming the block and the text where states are not finite
 */
export async function embedTexts(
  model: Model,
  texts: readonly EmbeddedText[],
  { length, threads, signal, progress }: EmbedOptions,
): Promise<readonly Float64Array[]> {
  const [tokenizer, passages, pooling] = [await model.tokenizer(), await model.passages(), await readPooling(model)];
  const encoded = texts.map(({ text, language, number }, index) => ({
    index,
    tokens: tokenizer.encode(text, `${language} text ${number}`).subarray(0, length),
  }));
  // those of one length share a graph
  const sorted = encoded.toSorted((a, b) => a.tokens.length - b.tokens.length);
  const embeddings = new Map<number, Float64Array>();
  const forward = await model.forward({ threads });
  try {
    for (const group of groupTexts(sorted, model.hiddenSize)) {
      const nameOf = ({ index }: TokenText): string => `text ${at(texts, index).number} of ${at(texts, index).language}`;
      const states: StreamStates[] = [];
      for (const text of group) states.push(await embedStreams(forward, passages.ofPrompt(text.tokens)));
      for (const [block, { name }] of model.blocks.entries()) {
        for (const [place, text] of group.entries()) {
          if (signal.aborted) throw new InterruptedError("stopped while texts were embedded");
          const made = await advance(forward, model.blocks, block, at(states, place));
          requireFiniteStreams(name, made, [nameOf(text)]);
          states[place] = made;
        }
      }
      for (const [place, { index }] of group.entries()) embeddings.set(index, pool(headStates(at(states, place)), pooling));
      progress({ activity: "embed texts", done: embeddings.size, total: texts.length, unit: "texts" });
    }
  } finally {
    await forward.close();
  }
  return texts.map((_, index) => embeddings.get(index) ?? new Float64Array(0));
}
