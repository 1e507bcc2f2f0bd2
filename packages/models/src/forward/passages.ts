import { FailedPreconditionError, UsageError } from "@mbs/contracts";
import { seededGenerator } from "@mbs/numbers";
import type { Layout, SourceTarget } from "../architectures/layout.ts";
import { languageTokenOf } from "../tokenizer/language-token.ts";
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
   * @throws {FailedPreconditionError} where it has none, or the model was trained on pairs alone
   */
  readonly ofSegment: (tokens: Int32Array, seed: PassageSeed, first?: number) => Passage;
  /**
   * A source and the target that is predicted from it; absent in a decoder.
   *
   * @throws {UsageError} where the target's language is wanted and not named, or named and of no use
   * @throws {FailedPreconditionError} where the tokenizer has no token of a language
   */
  readonly ofPair?: (source: Int32Array, target: Int32Array, languages: PairLanguages) => Passage;
  /**
   * A pair with all tokens around it, as segments have it; absent in a decoder.
   *
   * @param source what the encoder reads
   * @param scored what the decoder reads, and the last token that it predicts
   */
  readonly ofWholePair?: (source: Int32Array, scored: Int32Array) => Passage;
  /**
   * Stream → token ids of a text that is to be continued.
   *
   * @throws {FailedPreconditionError} where the languages of text and continuation would have to be known
   */
  readonly ofPrompt: (tokens: Int32Array) => ReadonlyMap<string, Int32Array>;
  /**
   * Stream → token ids of a text that is to be translated; absent where the model reads no languages.
   *
   * @throws {FailedPreconditionError} where the tokenizer has no token of a language
   */
  readonly ofTranslation?: (tokens: Int32Array, languages: PairLanguages) => ReadonlyMap<string, Int32Array>;
  /** The token that ends a continuation; absent in a decoder, which continues as long as it is asked to. */
  readonly end?: number;
}

/** The languages of a source and its target. */
export interface PairLanguages {
  readonly source: string;
  readonly target: string | undefined;
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

/** The tokens that say which languages a source and its target have. */
function languageTokens(
  tokenizer: Tokenizer,
  { source, target }: PairLanguages,
): { readonly source: number; readonly target: number } {
  if (target === undefined) {
    throw new UsageError("the model reads the language of a target; name it with --target-language, as in hi or hin_Deva", {
      option: "--target-language",
    });
  }
  return { source: languageTokenOf(tokenizer, source), target: languageTokenOf(tokenizer, target) };
}

const onlyPairs = (doing: string, remedy: string): FailedPreconditionError =>
  new FailedPreconditionError(`the model reads the languages of a source and its target, and cannot ${doing}; ${remedy}`);

/** @param source what the encoder reads */
const passage = (source: Int32Array, scored: Int32Array, predicted: Int32Array): Passage => ({
  inputs: new Map([
    [encoderStream, source],
    [hiddenStream, scored.subarray(0, -1)],
  ]),
  scored,
  first: 1,
  predicted,
});

/** What the encoder reads of a text, and what stands around the target: with the tokens of their languages. */
function withLanguages(
  around: SourceTarget,
  tokens: Int32Array,
  own: { readonly source: number; readonly target: number },
): { readonly source: Int32Array; readonly start: readonly number[]; readonly after: readonly number[] } {
  const { end } = around;
  return around.languages === "behind"
    ? { source: Int32Array.of(...tokens, end, own.source), start: [own.target], after: [end, own.target] }
    : { source: Int32Array.of(own.source, ...tokens, end), start: [around.start, own.target], after: [end] };
}

/** The passages of an encoder-decoder: the decoder reads what is before the target, and the target but for its last token. */
export function sourceTargetPassages(around: SourceTarget, tokenizer: Tokenizer): Passages {
  const { end } = around;
  const ended = (...tokens: readonly number[]): Int32Array => Int32Array.of(...tokens, end);
  return {
    ofSegment(tokens, seed) {
      if (around.languages !== undefined)
        throw onlyPairs("predict spans cut out of a text", "give sources with targets, and --source-target");
      const { source, target } = corruptSpans(tokens, tokenizer.sentinels, seededGenerator(...seed));
      const spans = target.filter((token) => !tokenizer.sentinels.includes(token));
      return passage(ended(...source), ended(around.start, ...target), spans);
    },
    ofPair(source, target, languages) {
      if (around.languages === undefined) {
        if (languages.target === undefined) return passage(ended(...source), ended(around.start, ...target), target);
        throw new UsageError("the model reads no language of a target; leave out --target-language", {
          option: "--target-language",
        });
      }
      const own = withLanguages(around, source, languageTokens(tokenizer, languages));
      return passage(own.source, Int32Array.of(...own.start, ...target, ...own.after), target);
    },
    ofWholePair: (source, scored) => passage(source, scored, scored.subarray(1)),
    ofPrompt(tokens) {
      if (around.languages !== undefined)
        throw onlyPairs("answer a text alone", "name both with --source-language and --target-language");
      return new Map([
        [encoderStream, ended(...tokens)],
        [hiddenStream, Int32Array.of(around.start)],
      ]);
    },
    ...(around.languages !== undefined && {
      ofTranslation(tokens: Int32Array, languages: PairLanguages) {
        const { source, start } = withLanguages(around, tokens, languageTokens(tokenizer, languages));
        return new Map([
          [encoderStream, source],
          [hiddenStream, Int32Array.from(start)],
        ]);
      },
    }),
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
