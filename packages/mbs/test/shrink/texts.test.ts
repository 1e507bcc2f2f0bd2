import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { calibrationCorpora } from "@mbs/calibration-texts";
import { BadDataError } from "@mbs/contracts";
import { openCorpus } from "@mbs/corpora";
import { divideCorpus, divideTexts, textsIn, writeDividedTexts } from "../../src/shrink/texts.ts";

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `text ${index}`);

const names = (...tags: readonly string[]) => new Map(tags.map((tag) => [tag, tag]));

/** Of the texts that have a number somewhere. */
const numbersOf = (texts: readonly string[]) => texts.flatMap((text) => /text (\d+)/.exec(text)?.[1] ?? []);

const numbers = (texts: readonly string[]) => texts.map((text) => text.split(" ")[1]);

/** The texts of both parts. */
function divided(texts: readonly string[]) {
  const { calibration, heldOut } = divideTexts(texts.map((text) => ({ text })));
  return { calibration: calibration.map(({ text }) => text), heldOut: heldOut.map(({ text }) => text) };
}

const conversationOf = (index: number) => ({ messages: [{ role: "user", content: `question ${index} `.repeat(400) }] });

test("every fourth document is held out, and none is in both parts", () => {
  const { calibration, heldOut } = divided(numbered(9));
  assert.equal([...heldOut].sort(), ["text 3", "text 7"]);
  assert.is(calibration.length, 7);
  assert.is(new Set([...calibration, ...heldOut]).size, 9);
});

test("of a document that comes twice the first counts, so that no copy is held out", () => {
  const { calibration, heldOut } = divided(["a", "b", "c", " a ", "d", "", "e", "f"]);
  assert.equal(heldOut, ["f"]);
  assert.equal(calibration, ["a", "b", "c", "d", "e"]);
});

test("translations at the same place go to the same part", () => {
  const english = divided(numbered(8));
  const hindi = divided(Array.from({ length: 8 }, (_, index) => `पाठ ${index}`));
  assert.equal(numbers(english.heldOut), numbers(hindi.heldOut));
  // a copy or a blank document does not move those behind it
  const repeated = divided(["text 0", "text 0", "", ...numbered(8).slice(3)]);
  assert.equal(repeated.heldOut, english.heldOut);
});

test("one long document is cut into pieces where words end", () => {
  const text = Array.from({ length: 2000 }, (_, index) => `word${index}`).join(" ");
  const { calibration, heldOut } = divided([text]);
  assert.ok(heldOut.length > 0);
  const words = [...calibration, ...heldOut].flatMap((piece) => piece.trim().split(/\s+/));
  assert.equal(words.length, 2000);
  assert.ok(words.every((word) => /^word\d+$/.test(word)));
});

for (const [script, word] of [
  ["Latin", "word"],
  ["Devanagari", "शब्द"],
] as const) {
  test(`what is scored is of all held-out documents, their beginnings first, in ${script} script`, () => {
    const documents = numbered(32).map((_, index) => numbered(400).map((_word, at) => `${word}-${index}-${at}`));
    const { heldOut } = divided(documents.map((words) => words.join(" ")));
    assert.ok(heldOut.every((piece) => Buffer.byteLength(piece) <= 1100));
    const first = heldOut.slice(0, 8).map((piece) => piece.split("-", 2).join("-"));
    assert.equal([...first].sort(), [3, 7, 11, 15, 19, 23, 27, 31].map((index) => `${word}-${index}`).sort());
    assert.is(heldOut.flatMap((piece) => piece.trim().split(" ")).length, 8 * 400);
  });
}

test("a blank held-out document moves no other one, and a head that all documents have is scored once", () => {
  const documents = numbered(32).map((text) => `${"head ".repeat(200)}${text} ${"rest ".repeat(100)}`);
  const { heldOut } = divided(documents);
  const { heldOut: without } = divided(documents.map((text, index) => (index === 11 ? "" : text)));
  assert.is(numbersOf(heldOut).length, 8);
  assert.equal(
    numbersOf(without),
    numbersOf(heldOut).filter((number) => number !== "11"),
  );
  assert.is(heldOut.filter((text) => text.startsWith("head head") && !text.includes("text")).length, 1);
});

test("conversations stay whole, and are written as conversations", async () => {
  const documents = Array.from({ length: 3 }, (_, index) => ({ text: `text ${index}`, conversation: conversationOf(index) }));
  assert.is(divideTexts(documents).calibration.length, 3);
  const folder = await mkdtemp(join(tmpdir(), "mbs-divided-"));
  try {
    const all = [...documents, { text: "text 3", conversation: conversationOf(3) }];
    const written = new Map([["en", divideTexts(all)]]);
    const { calibration } = textsIn(written, folder);
    await writeDividedTexts(written, textsIn(written, folder));
    const lines = (await readFile(join(calibration, "en.jsonl"), "utf8")).trim().split("\n");
    assert.equal(
      lines.map((line) => JSON.parse(line) as unknown),
      [0, 1, 2].map(conversationOf),
    );
    // what another run reads stays as it is
    assert.is.not(textsIn(new Map([["en", divideTexts(all.slice(1))]]), folder).calibration, calibration);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a text without spaces is cut between characters", () => {
  const text = "書𠮷".repeat(5000);
  const { calibration, heldOut } = divided([text]);
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
  const hindi = divided.get("hi") ?? { calibration: [], heldOut: [] };
  // the rest of a document may be a few words, which others have too
  const pieces = hindi.heldOut.filter(({ text }) => text.length > 100);
  assert.ok(pieces.length > 20);
  assert.not(pieces.some(({ text }) => hindi.calibration.some((other) => other.text.includes(text))));
  // the beginnings of documents come first, not one document after the other
  const whole: string[] = [];
  for await (const { text } of sources.heldOut.documents("hi")) whole.push(text);
  assert.ok(hindi.heldOut.slice(0, 8).every(({ text }) => whole.some((document) => document.startsWith(text))));
  try {
    await divideCorpus(sources, names("haw"), signal);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, BadDataError);
    assert.match((error as Error).message, /no texts of haw to score on; give texts of your own with --texts/);
  }
});

test.run();
