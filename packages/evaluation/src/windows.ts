import type { Corpus } from "@mbs/corpora";
import type { Tokenizer } from "@mbs/models";

/** A fixed number of tokens of one language, never overlapping another. */
export interface Window {
  readonly language: string;
  /** "" where windows run over all sources of a language. */
  readonly source: string;
  /** Number within the language. */
  readonly window: number;
  /** Exactly `length` ids, the beginning-of-sequence token among them where it is used. */
  readonly tokens: Int32Array;
}

export interface WindowOptions {
  readonly length: number;
  /** Put before every window; undefined for none. */
  readonly bos: number | undefined;
  /** Cut the texts of each source of a language apart from the others. */
  readonly bySource: boolean;
  /** Most windows of a language, taken from its sources in turn. */
  readonly limit: number | undefined;
  readonly warn: (message: string) => void;
}

/** Most characters that are encoded at once. Texts are joined within such a piece, so nearly every corpus is one piece. */
const pieceCharacters = 1 << 20;

/** More characters than a token has on average, so that a limited number of windows mostly needs one piece. */
const charactersAToken = 8;

/** Joins the texts of one source and cuts the tokens into windows; what is left at the end is dropped. */
class WindowCutter {
  readonly windows: Int32Array[] = [];
  readonly #encode: (text: string) => Int32Array;
  readonly #textTokens: number;
  readonly #pieceCharacters: number;
  readonly #limit: number;
  #texts: string[] = [];
  #characters = 0;
  #rest = new Int32Array(0);
  #started = false;

  constructor(encode: (text: string) => Int32Array, textTokens: number, limit: number) {
    this.#encode = encode;
    this.#textTokens = textTokens;
    this.#limit = limit;
    this.#pieceCharacters = Math.min(pieceCharacters, limit * textTokens * charactersAToken);
  }

  add(text: string): void {
    if (this.windows.length >= this.#limit) return;
    this.#texts.push(text);
    this.#characters += text.length;
    if (this.#characters >= this.#pieceCharacters) this.flush();
  }

  flush(): void {
    if (this.#texts.length === 0) return;
    const joined = (this.#started ? "\n\n" : "") + this.#texts.join("\n\n");
    const encoded = this.#encode(joined);
    const tokens = new Int32Array(this.#rest.length + encoded.length);
    tokens.set(this.#rest);
    tokens.set(encoded, this.#rest.length);
    let start = 0;
    for (; start + this.#textTokens <= tokens.length; start += this.#textTokens) {
      this.windows.push(tokens.slice(start, start + this.#textTokens));
    }
    this.#rest = tokens.slice(start);
    this.#texts = [];
    this.#characters = 0;
    this.#started = true;
  }

  /** Tokens of the tail that is dropped. */
  get tail(): number {
    return this.#rest.length;
  }
}

/** Takes from each list in turn until `limit` are taken or all are empty. */
function takeInTurn(lists: ReadonlyMap<string, readonly Int32Array[]>, limit: number): { source: string; tokens: Int32Array }[] {
  const longest = Math.max(0, ...[...lists.values()].map(({ length }) => length));
  const taken: { source: string; tokens: Int32Array }[] = [];
  for (let round = 0; round < longest; round++) {
    for (const [source, windows] of lists) {
      const tokens = windows[round];
      if (tokens && taken.length < limit) taken.push({ source, tokens });
    }
  }
  return taken;
}

/**
 * The windows of one language: its texts, in the order of the files, joined by a blank line, encoded, and cut into pieces
 * of equal length without overlap. A tail shorter than a window is dropped.
 *
 * @returns none, and a warning, where there is not enough text for one window
 */
export async function cutWindows(
  corpus: Corpus,
  language: string,
  tokenizer: Tokenizer,
  options: WindowOptions,
): Promise<readonly Window[]> {
  const { length, bos, limit = Infinity } = options;
  const textTokens = bos === undefined ? length : length - 1;
  const encode = (text: string): Int32Array => tokenizer.encode(text, language);
  const cutters = new Map<string, WindowCutter>();
  for await (const { text, source } of corpus.documents(language)) {
    const key = options.bySource ? source : "";
    const cutter = cutters.get(key) ?? new WindowCutter(encode, textTokens, limit);
    cutters.set(key, cutter);
    cutter.add(text);
  }
  for (const cutter of cutters.values()) cutter.flush();
  const taken = takeInTurn(new Map([...cutters].map(([source, { windows }]) => [source, windows])), limit);
  if (taken.length === 0) {
    const tail = [...cutters.values()].reduce((most, cutter) => Math.max(most, cutter.tail), 0);
    options.warn(`${language}: ${tail} tokens of text, too few for one window of ${textTokens}; left out`);
  }
  return taken.map(({ source, tokens: text }, window) => {
    const tokens = bos === undefined ? text : Int32Array.from([bos, ...text]);
    return { language, source, window, tokens };
  });
}
