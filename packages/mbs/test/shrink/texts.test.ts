import { test } from "uvu";
import * as assert from "uvu/assert";
import { divideTexts } from "../../src/shrink/texts.ts";

const documents = (texts: readonly string[], source = "") => texts.map((text) => ({ text, source }));
const numbered = (count: number, source = "") =>
  documents(
    Array.from({ length: count }, (_, index) => `text ${index}`),
    source,
  );

const numbers = (texts: readonly string[]) => texts.map((text) => text.split(" ")[1]);

test("every fourth document is held out, and none is in both parts", () => {
  const { calibration, heldOut } = divideTexts(numbered(9));
  assert.equal(heldOut, ["text 3", "text 7"]);
  assert.is(calibration.length, 7);
  assert.is(new Set([...calibration, ...heldOut]).size, 9);
});

test("a document that comes twice counts once, so that its copy is not held out", () => {
  const { calibration, heldOut } = divideTexts(documents(["a", "b", "c", " a ", "d", ""]));
  assert.equal(heldOut, ["d"]);
  assert.equal(calibration, ["a", "b", "c"]);
});

test("translations at the same place go to the same part", () => {
  const english = divideTexts(numbered(8));
  const hindi = divideTexts(documents(Array.from({ length: 8 }, (_, index) => `पाठ ${index}`)));
  assert.equal(numbers(english.heldOut), numbers(hindi.heldOut));
});

test("texts that models know by heart are never held out", () => {
  const { calibration, heldOut } = divideTexts([...numbered(4, "udhr"), ...documents(["a", "b", "c", "d"])]);
  assert.equal(heldOut, ["d"]);
  assert.is(calibration.filter((text) => text.startsWith("text")).length, 4);
});

test("one long document is cut into pieces at spaces", () => {
  const text = Array.from({ length: 2000 }, (_, index) => `word${index}`).join(" ");
  const { calibration, heldOut } = divideTexts(documents([text]));
  assert.ok(heldOut.length > 0);
  assert.is([...calibration, ...heldOut].flatMap((piece) => piece.split(/\s+/)).length, 2000);
});

test.run();
