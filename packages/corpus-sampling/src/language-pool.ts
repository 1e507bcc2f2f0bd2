import { joinTexts, type Corpus } from "@mbs/corpora";
import type { Tokenizer } from "@mbs/models";
import { seededGenerator } from "@mbs/numbers";
import { drawDocuments, drawnOneByOne, type Drawing, type DrawingOptions, type DrawnText } from "./drawing.ts";

/** More characters than a token has on average in any script; a wrong guess costs another pass, nothing else. */
const charactersAToken = 8;

/** Characters looked at when tokens are counted against bytes. */
const measuredCharacters = 128 * 1024;

/** What a language's texts were made into. */
export interface SegmentText {
  /** Exactly `length` token ids; of a source with a target as many as it has. */
  readonly tokens: Int32Array;
  /** Of a source with a target: see the artifact's segments. */
  readonly target?: Int32Array;
  readonly documents: number;
}

/** What a language has where that is not enough. */
export interface Shortage {
  /** Segments that could be made. */
  readonly made: number;
  /** Tokens of all its texts, long ones counted to where they were cut. */
  readonly tokens: number;
  /** Whether a text was cut: the rest of it is not used. */
  readonly cut: boolean;
  /** Tokens that are missing. */
  readonly missing: number;
}

/** The texts of one language, which are made into segments. */
export interface Pool {
  /** Tokens a byte, over the first documents of the random order; 0 where there is no text. */
  tokensPerByte(): Promise<number>;
  /**
   * Makes up to `count` segments.
   *
   * @param more segments that are made behind these, as long as they are asked for and there is text
   * @returns what there is, where it is too little for `count`
   */
  segments(count: number, more?: number): AsyncGenerator<SegmentText, Shortage | undefined, undefined>;
}

/** What a language has, and what was asked for, as a message. */
export function describeShortage(language: string, count: number, length: number, { made, tokens, cut }: Shortage): string {
  const asked = `${count} segments of ${length}`;
  if (tokens < count * length && !cut) return `${language} has ${tokens} tokens where ${asked} need ${count * length}`;
  return `${language} has text for ${made} of ${asked} tokens, each of which begins with a document of its own`;
}

/** Tokens a byte of some texts; 0 where there is none. */
export function tokensPerByte(texts: readonly DrawnText[], encode: (text: string) => Int32Array): number {
  let [tokens, bytes] = [0, 0];
  for (const { text } of texts) {
    tokens += encode(text).length;
    bytes += Buffer.byteLength(text);
  }
  return bytes > 0 ? tokens / bytes : 0;
}

export interface PoolOptions extends DrawingOptions {
  readonly length: number;
}

/** The texts of one language, drawn at random without replacement. */
export class LanguagePool implements Pool {
  readonly #corpus: Pick<Corpus, "documents">;
  readonly #language: string;
  readonly #tokenizer: Tokenizer;
  readonly #options: PoolOptions;

  constructor(corpus: Pick<Corpus, "documents">, language: string, tokenizer: Tokenizer, options: PoolOptions) {
    this.#corpus = corpus;
    this.#language = language;
    this.#tokenizer = tokenizer;
    this.#options = options;
  }

  /** Characters kept of a text. */
  get #sizeLimit(): number {
    return 2 * charactersAToken * this.#options.length;
  }

  async tokensPerByte(): Promise<number> {
    const { texts } = await this.#draw(measuredCharacters);
    return tokensPerByte(texts, (text) => this.#encode(text));
  }

  /**
   * Documents joined (see joinTexts) until they are at least `length` tokens, then cut. The rest of the last document is not
   * used again.
   */
  async *segments(count: number, more = 0): AsyncGenerator<SegmentText, Shortage | undefined, undefined> {
    const { length } = this.#options;
    const wanted = 2 * count * length * charactersAToken;
    const documents = drawnOneByOne((characters) => this.#draw(characters), wanted, this.#language, this.#options);
    const blankLine = this.#encode("\n\n").length;
    let [tokensRead, cut] = [0, false];
    for (let made = 0; made < count + more; made++) {
      const texts: DrawnText[] = [];
      // The parts are counted one by one, as if all were plain; only when they may be enough is the joined text encoded.
      let parts = -blankLine;
      let tokens: Int32Array = new Int32Array(0);
      while (tokens.length < length) {
        const next = await documents.next();
        if (next.done && made >= count) return undefined;
        if (next.done) {
          const missing = (count - made) * length - this.#encode(joinTexts(texts)).length;
          return { made, tokens: tokensRead, cut, missing };
        }
        texts.push(next.value);
        const { text } = next.value;
        const part = this.#encode(text);
        tokensRead += part.length;
        // a pair that was cut through leaves one less
        if (text.length >= this.#sizeLimit - 1) cut = true;
        parts += blankLine + part.length;
        if (parts >= length) tokens = texts.length === 1 ? part : this.#encode(joinTexts(texts));
      }
      yield { tokens: tokens.slice(0, length), documents: texts.length };
    }
    return undefined;
  }

  #encode(text: string): Int32Array {
    return this.#tokenizer.encode(text, this.#language);
  }

  async #draw(wanted: number): Promise<Drawing> {
    const generator = seededGenerator(this.#options.seed, this.#language);
    return drawDocuments(this.#corpus.documents(this.#language), generator, this.#sizeLimit, wanted);
  }
}
