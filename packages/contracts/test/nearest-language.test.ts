import { test } from "uvu";
import * as assert from "uvu/assert";
import { didYouMeanLanguage, isNoLanguage, nearestLanguage } from "../src/nearest-language.ts";

const known = [
  "cs",
  "da",
  "el",
  "en",
  "es",
  "fa",
  "hi",
  "id",
  "ja",
  "km",
  "ko",
  "pt",
  "sr-Cyrl",
  "sv",
  "uk",
  "vi",
  "zh-Hans",
  "zh-Hant",
];

test("a code of a country stands for the language that is likely spoken there", () => {
  const slips = { kh: "km", cn: "zh-Hans", HK: "zh-Hant", jp: "ja", kr: "ko", vn: "vi", gr: "el", ua: "uk", cz: "cs", dk: "da" };
  for (const [asked, meant] of Object.entries({ ...slips, se: "sv", ir: "fa", mx: "es", us: "en" })) {
    assert.is(nearestLanguage(asked, known), meant, asked);
  }
  assert.is(nearestLanguage("in", known), "id", "in is also an old code of Indonesian");
  assert.is(nearestLanguage("in", ["hi", "en"]), "hi");
  for (const none of ["xx", "zz"]) assert.is(nearestLanguage(none, known), undefined);
  assert.is(nearestLanguage("de", known), undefined, "a language that is not there");
  assert.is(nearestLanguage("br", known), undefined, "Breton, and not Brazil");
});

test("other codes, English names and misspelt ones are known too", () => {
  for (const [asked, meant] of [
    ["khm", "km"],
    ["hin_Deva", "hi"],
    ["Hindi", "hi"],
    ["chinese", "zh-Hans"],
    ["hidni", "hi"],
    ["vietnamse", "vi"],
    ["zh-hanz", "zh-Hans"],
  ] as const) {
    assert.is(nearestLanguage(asked, known), meant, asked);
  }
});

test("names that are no tags are found by the tag", () => {
  assert.is(nearestLanguage("hi", ["english", "hindi"]), "hindi");
  assert.is(nearestLanguage("km", ["en", "kh"]), "kh");
  assert.is(nearestLanguage("sv", ["en", "se"]), undefined, "se is Northern Sami");
});

test("a code of two letters that ISO 639-1 does not have is no language", () => {
  const named = ["zz", "qq", "kh", "zz-Latn", "km", "no", "iw", "sh", "zh-Hant", "khm", "aau", "zzz", "Hindi", "code"];
  assert.equal(named.filter(isNoLanguage), ["zz", "qq", "kh", "zz-Latn"]);
});

test("suggestions name the languages, each once", () => {
  assert.is(didYouMeanLanguage(["kh", "khmer", "hindi"], known), "did you mean km (Khmer) and hi (Hindi)? ");
  assert.is(didYouMeanLanguage(["hi"], ["hindi"]), "did you mean hindi? ");
  assert.is(didYouMeanLanguage(["de"], known), "");
});

test.run();
