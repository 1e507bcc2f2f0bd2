import { seededGenerator } from "@mbs/numbers";
import type { Layout, SourceTarget } from "../architectures/layout.ts";
import type { TextEnds, Tokenizer } from "../tokenizer/tokenizer.ts";
import { corruptSpans } from "./span-corruption.ts";
import { encoderStream, hiddenStream } from "./streams.ts";

/** What the streams of a model read of one text, and what the model predicts from it. */
export interface Passage {
  /** Stream → token ids that are embedded. */
  readonly inputs: ReadonlyMap<string, Int32Array>;
  /** What `Forward.score` takes: the tokens that the head's stream reads, and the last one that it predicts. */
  readonly scored: Int32Array;
  /** Place in `scored` of the first token that counts: at least 1, since those before it are only read; 0 where none is predicted. */
  readonly first: number;
  /** The predicted tokens of text, without sentinels and ends. */
  readonly predicted: Int32Array;
}

/** How texts enter the streams of a model. */
export interface Passages {
  /**
   * A segment as a model is trained on text: a decoder reads it and predicts it, an encoder-decoder reads it with spans
   * cut out and predicts these. An encoder reads it and predicts nothing.
   *
   * @param seed of the choice of spans; a decoder does not use it
   * @param first place of the first token that counts, default 1; an encoder-decoder does not use it
   * @throws {BadDataError} where the segment needs more sentinel tokens than the tokenizer has
   * @throws {FailedPreconditionError} where it has none
   */
  readonly ofSegment: (tokens: Int32Array, seed: PassageSeed, first?: number) => Passage;
  /** A source and the target that is predicted from it; absent in a decoder. */
  readonly ofPair?: (source: Int32Array, target: Int32Array) => Passage;
  /** Stream → token ids of a text that is to be continued. */
  readonly ofPrompt: (tokens: Int32Array) => ReadonlyMap<string, Int32Array>;
  /** The token that ends a continuation; absent in a decoder, which continues as long as it is asked to. */
  readonly end?: number;
}

/** A number, then names that tell texts apart. */
export type PassageSeed = readonly [number, ...(string | number)[]];

/** The passages of a decoder. */
export const plainPassages: Passages = {
  ofSegment: (tokens, _, first = 1) => ({
    inputs: new Map([[hiddenStream, tokens]]),
    scored: tokens,
    first,
    predicted: tokens.subarray(first),
  }),
  ofPrompt: (tokens) => new Map([[hiddenStream, tokens]]),
};

/** The passages of an encoder: it reads a text with the tokenizer's ends around it, and predicts none. */
export function enclosedPassages({ before, after }: TextEnds): Passages {
  const ofPrompt = (tokens: Int32Array) => new Map([[hiddenStream, Int32Array.of(...before, ...tokens, ...after)]]);
  const nothing = new Int32Array(0);
  return {
    ofSegment: (tokens) => ({ inputs: ofPrompt(tokens), scored: nothing, first: 0, predicted: nothing }),
    ofPrompt,
  };
}

/** The passages of an encoder-decoder: the decoder reads `start` and the target but for its last token. */
export function sourceTargetPassages({ start, end }: SourceTarget, tokenizer: Tokenizer): Passages {
  const ended = (tokens: Int32Array): Int32Array => Int32Array.from([...tokens, end]);
  const passage = (source: Int32Array, target: Int32Array, predicted: Int32Array): Passage => {
    const scored = Int32Array.from([start, ...target]);
    const inputs = new Map([
      [encoderStream, source],
      [hiddenStream, scored.subarray(0, -1)],
    ]);
    return { inputs, scored, first: 1, predicted };
  };
  return {
    ofSegment(tokens, seed) {
      const { source, target } = corruptSpans(tokens, tokenizer.sentinels, seededGenerator(...seed));
      const spans = target.filter((token) => !tokenizer.sentinels.includes(token));
      return passage(ended(source), ended(target), spans);
    },
    ofPair: (source, target) => passage(ended(source), ended(target), target),
    ofPrompt: (tokens) =>
      new Map([
        [encoderStream, ended(tokens)],
        [hiddenStream, Int32Array.of(start)],
      ]),
    end,
  };
}

/** How texts enter the streams of an architecture. */
export async function passagesOf(
  { sourceTarget, encoder }: Pick<Layout, "sourceTarget" | "encoder">,
  tokenizer: () => Promise<Tokenizer>,
): Promise<Passages> {
  if (encoder !== undefined) return enclosedPassages((await tokenizer()).ends);
  return sourceTarget === undefined ? plainPassages : sourceTargetPassages(sourceTarget, await tokenizer());
}
