import { BadDataError, formatLanguageMix, languageWeights, parseLanguageMix, UsageError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";

const tokens = new Map([
  ["en", 300],
  ["fr", 100],
]);

test("without a mix, the share of tokens", () => {
  assert.equal(languageWeights(tokens, undefined), { en: 0.75, fr: 0.25 });
});

test("a mix replaces the shares, is normalised, and leaves others out", () => {
  assert.equal(languageWeights(tokens, parseLanguageMix("fr=3, en=1")), { en: 0.25, fr: 0.75 });
  assert.equal(languageWeights(tokens, parseLanguageMix("fr=0.2")), { en: 0, fr: 1 });
  assert.equal(languageWeights(tokens, parseLanguageMix("fr=1,xx=0")), { en: 0, fr: 1 });
});

test("a mix is written as it is read", () => {
  const mix = parseLanguageMix("zh-Hans=0.00283,en=1e-7,fr=0");
  assert.is(formatLanguageMix(mix), "zh-Hans=0.00283,en=1e-7,fr=0");
  assert.equal(parseLanguageMix(formatLanguageMix(mix)), mix);
});

test("messages name the option that was given", () => {
  for (const text of ["en", "en=1,en=2", "en=0", "en=1e308,de=1e308"]) {
    assert.throws(
      () => parseLanguageMix(text, "--importance"),
      (error: unknown) => error instanceof UsageError && error.message.startsWith("--importance "),
    );
  }
});

test("a language that was not seen is an error that names it and the known ones", () => {
  assert.throws(
    () => languageWeights(tokens, parseLanguageMix("en=1,de=1")),
    (error: unknown) => error instanceof UsageError && error.facts["language"] === "de" && error.message.includes("en, fr"),
  );
});

test("no tokens at all", () => {
  assert.throws(
    () => languageWeights(new Map([["en", 0]]), undefined),
    (error: unknown) => error instanceof BadDataError,
  );
});

for (const text of ["en", "en=", "en=x", "=1", "en=-1", "en=Infinity", "en=1e308,de=1e308", "en=1,en=2", "en=0", "en=1,,fr=1"]) {
  test(`--mix ${text} is refused`, () => {
    assert.throws(
      () => parseLanguageMix(text),
      (error: unknown) => error instanceof UsageError && error.message.startsWith("--mix"),
    );
  });
}

test.run();
