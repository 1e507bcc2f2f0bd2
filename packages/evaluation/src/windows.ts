import type { OpenChat } from "@mbs/contracts";
import type { Corpus } from "@mbs/corpora";
import type { Tokenizer } from "@mbs/models";
import { wholeConversations } from "./conversation-windows.ts";
import type { ConversationCutter, TextTokens } from "./conversation-windows.ts";

/** Tokens of one language, never overlapping another: of texts a fixed number, of a conversation as many as it has, or fewer. */
export interface Window extends TextTokens {
  readonly language: string;
  /** "" where windows run over all sources of a language. */
  readonly source: string;
  /** Number within the language. */
  readonly window: number;
}

export interface WindowOptions {
  readonly length: number;
  /** Put before every window of plain text; undefined for none. */
  readonly bos: number | undefined;
  /** Cut the texts of each source of a language apart from the others. */
  readonly bySource: boolean;
  /** Most windows of a language, taken from its sources in turn. */
  readonly limit: number | undefined;
  readonly warn: (message: string) => void;
  /** Of the model that reads the windows; undefined where conversations are refused. */
  readonly chat?: OpenChat;
  /** Makes windows of all documents, none of which is joined with others; default: of conversations alone, whole. */
  readonly cutter?: ConversationCutter;
}

/** Most characters that are encoded at once. Texts are joined within such a piece, so nearly every corpus is one piece. */
const pieceCharacters = 1 << 20;

/** More characters than a token has on average, so that a limited number of windows mostly needs one piece. */
const charactersAToken = 8;

/** Joins the texts of one source and cuts the tokens into windows; what is left at the end is dropped. */
class WindowCutter {
  readonly windows: TextTokens[] = [];
  readonly #encode: (text: string) => Int32Array;
  readonly #bos: readonly number[];
  readonly #textTokens: number;
  readonly #pieceCharacters: number;
  readonly #limit: number;
  #texts: string[] = [];
  #characters = 0;
  #rest = new Int32Array(0);
  #started = false;

  constructor(encode: (text: string) => Int32Array, bos: readonly number[], length: number, limit: number) {
    this.#encode = encode;
    this.#bos = bos;
    this.#textTokens = length - bos.length;
    this.#limit = limit;
    this.#pieceCharacters = Math.min(pieceCharacters, limit * this.#textTokens * charactersAToken);
  }

  get isFull(): boolean {
    return this.windows.length >= this.#limit;
  }

  add(text: string): void {
    if (this.isFull) return;
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
      const own = tokens.subarray(start, start + this.#textTokens);
      this.windows.push({ tokens: Int32Array.from([...this.#bos, ...own]), first: 1 });
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
function takeInTurn(
  lists: ReadonlyMap<string, readonly TextTokens[]>,
  limit: number,
): (TextTokens & { readonly source: string })[] {
  const longest = Math.max(0, ...[...lists.values()].map(({ length }) => length));
  const taken: (TextTokens & { readonly source: string })[] = [];
  for (let round = 0; round < longest; round++) {
    for (const [source, windows] of lists) {
      const window = windows[round];
      if (window && taken.length < limit) taken.push({ ...window, source });
    }
  }
  return taken;
}

/**
 * The windows of one language: its texts, in the order of the files, joined by a blank line, encoded, and cut into pieces
 * of equal length without overlap. A tail shorter than a window is dropped. A conversation is a window of its own.
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
  const before = bos === undefined ? [] : [bos];
  const encode = (text: string): Int32Array => tokenizer.encode(text, language);
  const cutter = options.cutter ?? wholeConversations(encode, length);
  const cutters = new Map<string, WindowCutter>();
  for await (const document of corpus.documents(language, options.chat)) {
    const key = options.bySource ? document.source : "";
    const own = cutters.get(key) ?? new WindowCutter(encode, before, length, limit);
    cutters.set(key, own);
    if (own.isFull) continue;
    if (options.cutter === undefined && document.conversation === undefined) own.add(document.text);
    else own.windows.push(...(await cutter.cut(document)));
  }
  for (const own of cutters.values()) own.flush();
  for (const note of cutter.notes()) options.warn(note);
  const taken = takeInTurn(new Map([...cutters].map(([source, { windows }]) => [source, windows])), limit);
  if (taken.length === 0) {
    const tail = [...cutters.values()].reduce((most, own) => Math.max(most, own.tail), 0);
    options.warn(
      options.cutter === undefined
        ? `${language}: ${tail} tokens of text, too few for one window of ${length - before.length}; left out`
        : `${language}: no answers of the assistant; left out`,
    );
  }
  return taken.map((own, window) => ({ language, window, ...own }));
}
