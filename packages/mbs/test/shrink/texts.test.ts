import { test } from "uvu";
import * as assert from "uvu/assert";
import { calibrationCorpora } from "@mbs/calibration-texts";
import { BadDataError } from "@mbs/contracts";
import { openCorpus } from "@mbs/corpora";
import { divideCorpus, divideTexts } from "../../src/shrink/texts.ts";

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `text ${index}`);

const names = (...tags: readonly string[]) => new Map(tags.map((tag) => [tag, tag]));

const numbers = (texts: readonly string[]) => texts.map((text) => text.split(" ")[1]);

test("every fourth document is held out, and none is in both parts", () => {
  const { calibration, heldOut } = divideTexts(numbered(9));
  assert.equal(heldOut, ["text 3", "text 7"]);
  assert.is(calibration.length, 7);
  assert.is(new Set([...calibration, ...heldOut]).size, 9);
});

test("of a document that comes twice the first counts, so that no copy is held out", () => {
  const { calibration, heldOut } = divideTexts(["a", "b", "c", " a ", "d", "", "e", "f"]);
  assert.equal(heldOut, ["f"]);
  assert.equal(calibration, ["a", "b", "c", "d", "e"]);
});

test("translations at the same place go to the same part", () => {
  const english = divideTexts(numbered(8));
  const hindi = divideTexts(Array.from({ length: 8 }, (_, index) => `पाठ ${index}`));
  assert.equal(numbers(english.heldOut), numbers(hindi.heldOut));
  // a copy or a blank document does not move those behind it
  const repeated = divideTexts(["text 0", "text 0", "", ...numbered(8).slice(3)]);
  assert.equal(repeated.heldOut, english.heldOut);
});

test("one long document is cut into pieces where words end", () => {
  const text = Array.from({ length: 2000 }, (_, index) => `word${index}`).join(" ");
  const { calibration, heldOut } = divideTexts([text]);
  assert.ok(heldOut.length > 0);
  const words = [...calibration, ...heldOut].flatMap((piece) => piece.trim().split(/\s+/));
  assert.equal(words.length, 2000);
  assert.ok(words.every((word) => /^word\d+$/.test(word)));
});

test("a text without spaces is cut between characters", () => {
  const text = "書𠮷".repeat(5000);
  const { calibration, heldOut } = divideTexts([text]);
  const pieces = [...calibration, ...heldOut];
  assert.ok(heldOut.length > 0);
  assert.not(pieces.some((piece) => /^[\uDC00-\uDFFF]|[\uD800-\uDBFF]$/.test(piece)));
  // equal pieces count once
  assert.ok(pieces.every((piece) => text.includes(piece)));
});

test("of texts that come with the program, those are held out that it says, and a language may have none", async () => {
  const sources = {
    corpus: await openCorpus(calibrationCorpora.calibration),
    heldOut: await openCorpus(calibrationCorpora["held-out"]),
  };
  const { signal } = new AbortController();
  const divided = await divideCorpus(sources, names("hi", "haw"), signal);
  assert.ok((divided.get("hi")?.heldOut.length ?? 0) > 0);
  assert.is(divided.get("haw")?.heldOut.length, 0);
  const all = new Set(divided.get("hi")?.calibration);
  assert.not(divided.get("hi")?.heldOut.some((text) => all.has(text)));
  try {
    await divideCorpus(sources, names("haw"), signal);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, BadDataError);
    assert.match((error as Error).message, /no texts of haw to score on; give texts of your own with --texts/);
  }
});

test.run();
