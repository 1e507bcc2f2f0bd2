import { at } from "@mbs/contracts";

/** The words of one document: which ones, and how often each. */
interface DocumentWords {
  readonly words: Int32Array;
  readonly counts: Int32Array;
  readonly bytes: number;
}

/** How often each language has each word; a word is a row, its languages in rising order. */
export interface WordCounts {
  /** First entry of each word in `languages` and `counts`, and the end of the last. */
  readonly starts: Int32Array;
  readonly languages: Int32Array;
  readonly counts: Int32Array;
  /** UTF-8 bytes of text per language. */
  readonly bytes: Float64Array;
}

/** The distinct words of all languages, and the documents as counts of them. */
export class WordTable {
  readonly languages: readonly string[];
  readonly #ids = new Map<string, number>();
  readonly #documents: DocumentWords[][];

  constructor(languages: readonly string[]) {
    this.languages = languages;
    this.#documents = languages.map(() => []);
  }

  /** Words by their number. */
  get words(): readonly string[] {
    return [...this.#ids.keys()];
  }

  /** Documents of a language. */
  documents(language: number): number {
    return at(this.#documents, language).length;
  }

  /** @param bytes UTF-8 bytes of the document's text */
  add(language: number, words: readonly string[], bytes: number): void {
    const counts = new Map<number, number>();
    for (const word of words) {
      const known = this.#ids.get(word);
      const id = known ?? this.#ids.size;
      if (known === undefined) this.#ids.set(word, id);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    at(this.#documents, language).push({
      words: Int32Array.from(counts.keys()),
      counts: Int32Array.from(counts.values()),
      bytes,
    });
  }

  /**
   * Counts over documents.
   *
   * @param timesOf how often each document of a language counts; default once
   */
  count(timesOf: (language: number) => ArrayLike<number> | undefined = () => undefined): WordCounts {
    const size = this.#ids.size;
    const bytes = new Float64Array(this.languages.length);
    const found: { words: Int32Array; counts: Int32Array }[] = [];
    const starts = new Int32Array(size + 1);
    const totals = new Int32Array(size);
    for (const [language, documents] of this.#documents.entries()) {
      const times = timesOf(language);
      totals.fill(0);
      for (const [index, document] of documents.entries()) {
        const factor = times === undefined ? 1 : times[index]!;
        if (factor === 0) continue;
        bytes[language]! += factor * document.bytes;
        for (const [index, word] of document.words.entries()) totals[word]! += factor * document.counts[index]!;
      }
      const words = Int32Array.from(totals.keys()).filter((word) => totals[word]! > 0);
      for (const word of words) starts[word + 1]! += 1;
      found.push({ words, counts: words.map((word) => totals[word]!) });
    }
    for (let word = 0; word < size; word += 1) starts[word + 1]! += starts[word]!;
    const next = starts.slice(0, size);
    const [languages, counts] = [new Int32Array(starts[size]!), new Int32Array(starts[size]!)];
    for (const [language, list] of found.entries()) {
      for (const [index, word] of list.words.entries()) {
        languages[next[word]!] = language;
        counts[next[word]!] = list.counts[index]!;
        next[word]! += 1;
      }
    }
    return { starts, languages, counts, bytes };
  }
}
