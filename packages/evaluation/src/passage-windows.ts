import { BadDataError, InternalError } from "@mbs/contracts";
import type { Corpus } from "@mbs/corpora";
import type { PairLanguages, Passage, Passages, Tokenizer } from "@mbs/models";
import { cutWindows } from "./windows.ts";
import type { WindowOptions } from "./windows.ts";

/** One text to score: a row of the scores. */
export interface PassageWindow {
  readonly language: string;
  /** "" where windows run over all sources of a language. */
  readonly source: string;
  /** Number within the language. */
  readonly window: number;
  readonly passage: Passage;
  /** UTF-8 bytes of the predicted text. */
  readonly bytes: number;
}

/** The windows of a language's texts, as the model predicts them: the same for every model of one kind and tokenizer. */
export async function textWindows(
  corpus: Corpus,
  language: string,
  tokenizer: Tokenizer,
  passages: Passages,
  options: WindowOptions,
): Promise<readonly PassageWindow[]> {
  const windows = await cutWindows(corpus, language, tokenizer, options);
  return windows.map(({ tokens, first, ...window }) => {
    const passage = passages.ofSegment(tokens, [0, language, window.window], first);
    return { ...window, passage, bytes: tokenizer.byteLength(passage.predicted) };
  });
}

/**
 * The source→target texts of a language, one window each.
 *
 * @throws {BadDataError} where a source or target is longer than `length` tokens
 */
export async function sourceTargetWindows(
  corpus: Corpus,
  languages: PairLanguages,
  tokenizer: Tokenizer,
  ofPair: NonNullable<Passages["ofPair"]>,
  { length, limit = Infinity }: Pick<WindowOptions, "length" | "limit">,
): Promise<readonly PassageWindow[]> {
  const windows: PassageWindow[] = [];
  const language = languages.source;
  for await (const { text, target } of corpus.documents(language)) {
    if (windows.length >= limit) break;
    if (target === undefined) throw new InternalError(`a text in ${language} was read without its target`, { language });
    const passage = ofPair(tokenizer.encode(text, language), tokenizer.encode(target, language), languages);
    const longest = Math.max(...[...passage.inputs.values()].map((tokens) => tokens.length));
    if (longest > length) {
      throw new BadDataError(
        `${language}: source→target text ${windows.length + 1} has ${longest} tokens, above --length ${length}; raise --length or shorten the text`,
        { language, window: windows.length, tokens: longest },
      );
    }
    windows.push({ language, source: "", window: windows.length, passage, bytes: tokenizer.byteLength(passage.predicted) });
  }
  return windows;
}
