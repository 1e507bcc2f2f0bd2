import { at } from "@mbs/contracts";
import { chosenBy } from "./held-out-pages.ts";
import type { Page } from "./held-out-pages.ts";
import { writingOf } from "./words.ts";

/** A row of the task: which of two sentences is one? */
export interface PairRow {
  readonly sentence: string;
  /** The same with two neighbouring words exchanged. */
  readonly swapped: string;
  readonly page: string;
}

/** In UTF-16 code units. */
const longest = 74;

/** After a full stop with a space (of any width), or after a stop of Chinese and Japanese. */
const sentenceEnd = /(?<=[.!?।؟។])[\s\u200b]+|(?<=[。！？])/u;

/**
 * A pair for each sentence that has two neighbouring words of letters alone, which differ in more than case, behind its first word.
 * Both sentences have the same words, so that their frequencies say nothing.
 */
export function pairRows(language: string, pages: readonly Page[]): readonly PairRow[] {
  const writing = writingOf(language);
  const seen = new Set<string>();
  const rows: PairRow[] = [];
  for (const { name, paragraphs } of pages) {
    for (const sentence of paragraphs.flatMap((paragraph) => paragraph.split(sentenceEnd))) {
      const words = writing.split(sentence);
      const places = words.flatMap((word, index) => {
        const next = words[index + 1];
        if (index === 0 || next === undefined || !writing.isPlain(word) || !writing.isPlain(next)) return [];
        return word.toLowerCase() === next.toLowerCase() ? [] : [index];
      });
      if (seen.has(sentence) || words.length < writing.fewest || sentence.length > longest || places.length === 0) continue;
      seen.add(sentence);
      const place = at(places, chosenBy(`${language} ${sentence}`, places.length));
      const exchanged = [...words.slice(0, place), at(words, place + 1), at(words, place), ...words.slice(place + 2)];
      rows.push({ sentence, swapped: exchanged.join(writing.space), page: name });
    }
  }
  return rows;
}
