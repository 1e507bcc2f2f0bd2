import { UsageError } from "@mbs/contracts";
import { parseDistribution } from "@mbs/corpora";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseLanguages } from "../../src/shrink/languages.ts";
import { languagesOfCard, modelName } from "../../src/shrink/shrink-source.ts";

const refused = (work: () => unknown, pattern: RegExp): void => {
  try {
    work();
  } catch (error) {
    assert.instance(error, UsageError);
    assert.match((error as Error).message, pattern);
    return;
  }
  assert.unreachable("it was taken");
};

const sources = { offered: ["en", "hi", "zh-Hans", "km"], files: [], mixture: undefined, ofCard: [] };
const mixture = parseDistribution({ unit: "tokens", source: "made up", shares: { en: 6, hin_Deva: 3, zh: 1, fr: 5 } }, "made up");

test("languages are taken by their tags, and favoured ones named", () => {
  for (const known of [undefined, mixture]) {
    const { tags, favoured } = chooseLanguages({ ...sources, mixture: known }, ["hin_Deva", "km"], ["khm"]);
    assert.equal([tags, favoured], [["hi", "km"], ["km"]]);
  }
});

test("without names those of the mixture that have texts are taken, the largest first", () => {
  const { tags, favoured } = chooseLanguages({ ...sources, mixture }, undefined, []);
  assert.equal([tags, favoured], [["en", "hi", "zh-Hans"], []]);
});

test("texts under a name that is no tag are to be renamed", () => {
  const own = { ...sources, offered: ["english", "hindi", "kh"], files: ["a/english.txt", "a/hindi.news.jsonl.gz"] };
  refused(
    () => chooseLanguages(own, ["en", "hi", "km"], []),
    /of english, hindi, kh; rename english.txt to en.txt; rename hindi.news.jsonl.gz to hi.news.jsonl.gz; rename kh to km; give texts/,
  );
});

test("what cannot be protected is refused with what can", () => {
  refused(() => chooseLanguages(sources, ["fr"], []), /no texts of fr, but of .*; give texts of your own with --texts/);
  refused(() => chooseLanguages(sources, ["khn", "hin"], []), /no texts of khn, but of .*; give texts/);
  refused(
    () => chooseLanguages(sources, ["kh", "zz", "fr"], []),
    /: kh, zz is no tag of a known .*; did you mean km \(Khmer\)\?$/,
  );
  refused(
    () => chooseLanguages(sources, ["hindi"], []),
    /hindi is no tag .*, such as hi or zh-Hans; did you mean hi \(Hindi\)\?$/,
  );
  refused(
    () => chooseLanguages(sources, ["../x"], []),
    /\.\.\/x is no tag of a known language \(ISO 639\), such as hi or zh-Hans$/,
  );
  assert.equal(chooseLanguages({ ...sources, offered: ["zz"] }, ["zz"], []).tags, ["zz"], "texts may have codes of their own");
  refused(() => chooseLanguages(sources, ["hi"], ["en"]), /--favour en is none of the protected languages/);
  refused(() => chooseLanguages(sources, undefined, []), /--languages hi,en,km; the others stay in the model/);
  refused(
    () => chooseLanguages({ ...sources, ofCard: ["hin", "multilingual", "sw", "km"] }, undefined, []),
    /--languages hi,km, which the model's card names/,
  );
  refused(
    () => chooseLanguages({ ...sources, offered: ["hi", "hin"] }, ["hi"], []),
    /the texts have hi and hin, which are one language, hi; put them under one name/,
  );
});

test("the head of a card lists languages, one or several", () => {
  assert.equal(languagesOfCard("---\nlanguage:\n- hi\n- km\nlicense: mit\n---\ntext"), ["hi", "km"]);
  assert.equal(languagesOfCard("---\nlanguage: hi\n---\n"), ["hi"]);
  assert.equal(languagesOfCard("---\nlanguage: [\n---\n"), []);
  assert.equal(languagesOfCard("no head"), []);
  assert.equal(languagesOfCard("---\na: &a hi\nlanguage: *a\n---\n"), []);
});

test("a model is called by its folder, file or name on the Hub", () => {
  assert.is(modelName("hf:google/gemma-3-270m@main"), "gemma-3-270m");
  assert.is(modelName("models/gemma.GGUF"), "gemma");
  assert.is(modelName("models/llama/"), "llama");
});

test.run();
