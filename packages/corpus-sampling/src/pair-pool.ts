import { InternalError } from "@mbs/contracts";
import type { Corpus } from "@mbs/corpora";
import type { PairLanguages, Passages, Tokenizer } from "@mbs/models";
import { encoderStream, tokensOf } from "@mbs/models";
import { seededGenerator } from "@mbs/numbers";
import { drawDocuments, drawnOneByOne, type Drawing, type DrawnText } from "./drawing.ts";
import { tokensPerByte } from "./language-pool.ts";
import type { Pool, PoolOptions, SegmentText, Shortage } from "./language-pool.ts";

/** Characters of a source on average; a wrong guess costs another pass, nothing else. */
const charactersASource = 256;

/** Pairs over which tokens are counted against bytes. */
const measuredPairs = 512;

export interface PairPoolOptions extends PoolOptions {
  readonly warn: (message: string) => void;
}

/** How a model reads a source and its target. */
export interface PairReader {
  readonly tokenizer: Tokenizer;
  readonly ofPair: NonNullable<Passages["ofPair"]>;
  readonly languages: PairLanguages;
}

/** The sources of one language with their targets, drawn at random without replacement: each pair is a segment. */
export class PairPool implements Pool {
  readonly #corpus: Pick<Corpus, "documents">;
  readonly #reader: PairReader;
  readonly #options: PairPoolOptions;

  constructor(corpus: Pick<Corpus, "documents">, reader: PairReader, options: PairPoolOptions) {
    this.#corpus = corpus;
    this.#reader = reader;
    this.#options = options;
  }

  async tokensPerByte(): Promise<number> {
    const { texts } = await this.#draw(measuredPairs * charactersASource);
    return tokensPerByte(texts, (text) => this.#encode(text));
  }

  /** The pairs are ordered by their lengths, so that equally long ones run together. Longer ones than `length` are left out. */
  async *segments(count: number, more = 0): AsyncGenerator<SegmentText, Shortage | undefined, undefined> {
    const { source: language } = this.#reader.languages;
    const { length, warn } = this.#options;
    const drawn = drawnOneByOne((wanted) => this.#draw(wanted), count * charactersASource, language, this.#options);
    const made: (SegmentText & { readonly target: Int32Array })[] = [];
    let [tokens, tooLong] = [0, 0];
    for await (const pair of drawn) {
      const own = this.#segment(pair);
      tokens += own.tokens.length;
      if (Math.max(own.tokens.length, own.target.length - 1) > length) tooLong += 1;
      else made.push(own);
      // with --reuse, pairs that are all too long would be drawn for ever
      if (made.length === count + more || (this.#options.reuse && made.length === 0 && tooLong > count + more)) break;
    }
    if (tooLong > 0)
      warn(`${language}: ${tooLong} pairs have a side of more than ${length} tokens and are left out; raise --length`);
    yield* made.toSorted((a, b) => a.target.length - b.target.length || a.tokens.length - b.tokens.length);
    if (made.length >= count) return undefined;
    // as for texts that were cut, tokens do not tell what is missing
    return { made: made.length, tokens, cut: true, missing: (count - made.length) * length };
  }

  #encode(text: string): Int32Array {
    return this.#reader.tokenizer.encode(text, this.#reader.languages.source);
  }

  #segment({ text, target }: DrawnText): SegmentText & { readonly target: Int32Array } {
    const { ofPair, languages, tokenizer } = this.#reader;
    if (target === undefined) throw new InternalError(`a text in ${languages.source} was read without its target`, {});
    const { inputs, scored } = ofPair(this.#encode(text), tokenizer.encode(target, languages.source), languages);
    return { tokens: tokensOf(inputs, encoderStream), target: scored, documents: 1 };
  }

  #draw(wanted: number): Promise<Drawing> {
    const { seed } = this.#options;
    const { source } = this.#reader.languages;
    return drawDocuments(this.#corpus.documents(source), seededGenerator(seed, source), Infinity, wanted);
  }
}
