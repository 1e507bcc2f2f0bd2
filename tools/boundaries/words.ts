import { markdownPages, sourceTexts } from "./text-files.ts";

interface PrivateWord {
  /** Matched without regard to case. */
  readonly pattern: RegExp;
  /** What to write instead. */
  readonly instead: string;
}

/** Words of a private or old-fashioned language, which a reader has to translate. */
const privateWords: readonly PrivateWord[] = [
  { pattern: /\bstrangers?\b/, instead: "third-party" },
  { pattern: /\bforet(?:old|ells?|elling)\b/, instead: "predicted, predict" },
  { pattern: /\brooms?\b/, instead: "package; on disk, in memory or on a page: space" },
  { pattern: /\bjoints?\b/, instead: "interface" },
  { pattern: /\b(?:these|the|those) arrows\b|\barrows between\b/, instead: "dependencies" },
  { pattern: /\bcrumbs?\b/, instead: "small file" },
  { pattern: /\b(?:gone|goes|going|ran|runs?) dry\b/, instead: "used up" },
  { pattern: /\bnever (?:comes|came)\b/, instead: "is missing, does not arrive; of a promise: never settles" },
  { pattern: /× \S+ cannot be\b|\bthat cannot be\b(?! [a-z])|\bthat cannot be (?:is|are|in)\b/, instead: "invalid, impossible" },
  { pattern: /\bbefore us\b/, instead: "the name of what was first: `the PID was reused`" },
  { pattern: /\bnone of (?:a run's|ours)\b/, instead: "not written by a run" },
  { pattern: /\bheld (?:to|against)\b|\bholds? (?:\S+ ){1,5}against\b/, instead: "compared with, checked against" },
  { pattern: /\ball else\b/, instead: "everything else" },
  { pattern: /\bma[dk](?:e|es|ing) good\b/, instead: "compensate" },
  { pattern: /\bheed(?:s|ed|ing)?\b/, instead: "check, follow" },
  { pattern: /\bbugs? of ours\b|\b(?:name|one|none|text|threads) of ours\b/, instead: "this program's, built-in" },
  { pattern: /\bvouch(?:es|ed)?\b/, instead: "confirm, check" },
  {
    pattern: /\b(?:whence|thence|thither|hither|nought|aught|lest|albeit)\b/,
    instead: "from where, nothing, so that … not, although",
  },
  { pattern: /\b(?:tells?|told|telling) of\b/, instead: "report, name, show" },
  { pattern: /\b(?:is|are|was|were) told\b(?! (?:to|apart|by|it|with the same)\b)/, instead: "is reported, is shown" },
  { pattern: /\banew\b/, instead: "again" },
  { pattern: /\bwho(?:m|so)?ever\b/, instead: "anyone who, every reader" },
  { pattern: /\bone's own\b/, instead: "your own, third-party" },
  { pattern: /\bare let pass\b|\blets .{1,40} pass\b/, instead: "ignore, accept" },
  { pattern: /\bon (?:its|their) turn\b/, instead: "later, when it is processed" },
  { pattern: /\b(?:tak(?:e|es|en|ing)|took) away\b/, instead: "delete, remove" },
  { pattern: /\b(?:comes?|came) of\b/, instead: "result from" },
  { pattern: /\bwhose place\b|\bnobody's business\b/, instead: "replace; not shown" },
  { pattern: /[,;] for (?:it|they|there|we|he) (?:is|are|was|were|would|can|could|may|has|have)\b/, instead: "since" },
];

/** Line and word of each hit in a text. */
export function privateWordsOf(text: string): { line: number; word: string; instead: string }[] {
  return text.split("\n").flatMap((line, index) =>
    privateWords.flatMap(({ pattern, instead }) => {
      const word = new RegExp(pattern, "i").exec(line)?.[0];
      return word === undefined ? [] : [{ line: index + 1, word, instead }];
    }),
  );
}

/** This list and its test quote the words. */
const quoting = /^tools\/boundaries\/words(?:\.test)?\.ts$/;

/** Private words in documents, sources, tests and recipes, one line each. */
export const findPrivateWords = (root: string): string[] =>
  [...markdownPages(root), ...sourceTexts(root)]
    .filter(({ path }) => !quoting.test(path))
    .flatMap(({ path, text }) =>
      privateWordsOf(text).map(
        ({ line, word, instead }) => `${path}:${line}: "${word}"; write instead: ${instead} (tools/boundaries/words.ts)`,
      ),
    );
