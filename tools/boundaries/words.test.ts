import { test } from "uvu";
import * as assert from "uvu/assert";
import { privateWordsOf } from "./words.ts";

const wordsOf = (text: string) => privateWordsOf(text).map(({ word }) => word);

test("private words are found with their line and what to write instead", () => {
  const found = privateWordsOf("A solver sees one site.\nA stranger's solver takes the same room.");
  assert.equal(
    found.map(({ line, word, instead }) => [line, word, instead.split(";")[0]]),
    [
      [2, "stranger", "third-party"],
      [2, "room", "package"],
    ],
  );
});

test("private sentences are found", () => {
  for (const text of [
    "A matrix of 3 × 4 cannot be",
    "content that cannot be is refused",
    "Numbers that cannot be (a NaN loss) are refused",
    "a solver of one's own",
    "the model was foretold to rise",
    "a test holds the page against the code",
    "The card is left out, for it is written later.",
    "Whoever reads an artifact gets records",
    "nothing that a run deletes is told of",
  ]) {
    assert.is.not(wordsOf(text).length, 0, text);
  }
});

test("usual words pass", () => {
  for (const text of [
    "headroom of a disk, jointly, a disjoint set",
    "a tensor that cannot be read is refused",
    "two mixes that are told apart by their intervals",
    "The library is told to use two threads.",
    "values that can be compared with the reference",
    "`for (let pass = 0; pass < 2; pass += 1)`",
  ]) {
    assert.equal(wordsOf(text), [], text);
  }
});

test.run();
