import { at } from "@mbs/contracts";
import { chosenBy, shuffledBy } from "./held-out-pages.ts";
import type { Page } from "./held-out-pages.ts";
import { writingOf } from "./words.ts";
import type { Writing } from "./words.ts";

/** A row of the task: how does the paragraph that begins with `context` go on? */
export interface ContinuationRow {
  readonly context: string;
  readonly choices: readonly string[];
  /** Index of the true choice. */
  readonly label: number;
  readonly page: string;
}

const choiceCount = 4;
const bytesOf = (text: string): number => Buffer.byteLength(text);

/** Of a paragraph the first so many bytes are used: context and choice together fit into 256 tokens of the controlled models. */
const mostBytes = 160;
/** A shorter paragraph says too little to tell its page's endings apart. */
const fewestBytes = 50;

interface Halves {
  readonly context: string;
  /** Words. */
  readonly end: readonly string[];
}

/** The first words of a paragraph, cut in the middle; undefined where there are too few. */
function halvesOf(paragraph: string, writing: Writing): Halves | undefined {
  const words: string[] = [];
  let bytes = 0;
  for (const word of writing.split(paragraph)) {
    bytes += bytesOf(word) + writing.space.length;
    if (bytes > mostBytes) break;
    words.push(word);
  }
  if (words.length < writing.fewest || bytes < fewestBytes) return undefined;
  const middle = words.length >> 1;
  return { context: words.slice(0, middle).join(writing.space), end: words.slice(middle) };
}

/** A blank at an end would be a token of its own. */
const isTrimmed = (text: string): boolean => text !== "" && !/^[\s\u200b]|[\s\u200b]$/.test(text);

/**
 * One row for each paragraph of pages with enough of them: its own end among those of three others of the page, all cut to as many
 * words as the shortest has, since the shortest is the most probable one otherwise.
 */
export function continuationRows(language: string, pages: readonly Page[]): readonly ContinuationRow[] {
  const writing = writingOf(language);
  return pages.flatMap(({ name, paragraphs }) => {
    const halves = paragraphs.flatMap((paragraph) => halvesOf(paragraph, writing) ?? []);
    return halves.flatMap((own) => {
      const { context } = own;
      const key = `${language} ${name} ${context}`;
      const others = shuffledBy(
        halves.filter((other) => other !== own),
        (other) => `${key} ${other.context} ${other.end.join(writing.space)}`,
      ).slice(0, choiceCount - 1);
      const label = chosenBy(key, choiceCount);
      const ends = [...others.slice(0, label), own, ...others.slice(label)].map(({ end }) => end);
      const count = Math.min(...ends.map(({ length }) => length));
      const choices = ends.map((end) => end.slice(0, count).join(writing.space));
      const isAlone = paragraphs.filter((other) => other.startsWith(context)).length === 1;
      const areDifferent =
        choices.length === choiceCount &&
        choices.every((choice, index) => choices.every((other, place) => place === index || !other.startsWith(choice)));
      const isGood = isAlone && areDifferent && [context, ...choices].every(isTrimmed);
      return isGood ? [{ context, choices, label, page: name }] : [];
    });
  });
}

/** Of a row's true choice, for tests. */
export const trueChoice = ({ choices, label }: ContinuationRow): string => at(choices, label);
