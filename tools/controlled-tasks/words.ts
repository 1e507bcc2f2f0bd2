/** How a language divides its text into words. */
export interface Writing {
  /** What stands between two words. */
  readonly space: string;
  /** The words of a text; joined by `space` they are the text. */
  split(text: string): readonly string[];
  /** Whether a word is of letters alone, so that it can stand elsewhere in a sentence. */
  isPlain(word: string): boolean;
  /** The fewest words of a sentence. */
  readonly fewest: number;
}

const spaced: Writing = {
  space: " ",
  split: (text) => text.split(" "),
  isPlain: (word) => /^[\p{L}\p{M}\u200c\u200d]+$/u.test(word),
  fewest: 5,
};

/** Chinese and Japanese write no spaces: a character counts as a word, and letters or digits of other scripts as one together. */
const unspaced: Writing = {
  space: "",
  split: (text) => text.match(/[\p{sc=Latin}\p{Nd}]+|[^]/gu) ?? [],
  isPlain: (word) => /^[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]$/u.test(word),
  fewest: 10,
};

/** Khmer text marks the ends of words with zero-width spaces; a space ends a clause, so that a word beside one is not of letters alone. */
const zeroWidth: Writing = { ...spaced, space: "\u200b", split: (text) => text.split("\u200b") };

export function writingOf(language: string): Writing {
  if (/^(zh|ja)/.test(language)) return unspaced;
  return language.startsWith("km") ? zeroWidth : spaced;
}
