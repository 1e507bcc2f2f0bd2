import { test } from "uvu";
import * as assert from "uvu/assert";
import { languageTag } from "../src/language-tag.ts";

const cases: readonly (readonly [tag: string | undefined, texts: string])[] = [
  ["hi", "hi hin HI hin_Deva hin-Deva hi_IN hi-IN"],
  ["hi-Latn", "hi-Latn hin_Latn"],
  ["zh-Hans", "zh zh-Hans zho_Hans cmn_Hans zh_CN zh-cn cmn zho zh-SG cmn_Hani"],
  ["zh-Hant", "zh-Hant zho_Hant zh_TW zh-HK zh-Hant-TW cmn_Hant"],
  ["sr-Cyrl", "sr srp_Cyrl sr-RS sr-Cyrl-RS"],
  ["sr-Latn", "sr-Latn srp_Latn sr@latin sr-ME sh"],
  ["az", "az aze azj az-Latn azj_Latn"],
  ["az-Cyrl", "az-Cyrl azj_Cyrl"],
  ["uz", "uz uzn_Latn uz@latin"],
  ["uz-Cyrl", "uzn_Cyrl uz@cyrillic"],
  ["pa", "pa pan pan_Guru pa_IN"],
  ["pa-Arab", "pa-PK pa-Arab"],
  ["ar", "ar arb arb_Arab ara ar-EG"],
  ["arz", "arz arz_Arab"],
  ["nb", "nb no nob nor nob_Latn no-NO"],
  ["nn", "nn nno nn_NO"],
  ["fil", "fil tl tgl fil_Latn"],
  ["he", "he iw heb_Hebr"],
  ["ko", "ko kor kor_Hang ko-Kore ko-KR"],
  ["ja", "ja jpn jpn_Jpan"],
  ["pt", "pt por pt-BR pt_PT por_Latn"],
  ["ca", "ca ca-valencia ca@valencia"],
  ["ku", "ku kmr kmr_Latn kmr@latin"],
  ["ckb", "ckb ckb_Arab"],
  ["sq", "sq als als_Latn"],
  ["ms", "ms msa zsm zsm_Latn zlm"],
  ["km", "km khm khm_Khmr"],
  ["ty", "ty tah"],
  ["son", "son son_Latn"],
  ["son-Arab", "son_Arab"],
];

for (const [tag, texts] of cases) {
  test(`${texts} → ${tag}`, () => {
    for (const text of texts.split(" ")) assert.is(languageTag(text), tag, text);
  });
}

test("a tag of ours stays as it is", () => {
  for (const [tag = ""] of cases) assert.is(languageTag(tag), tag);
});

test("what is no tag has none", () => {
  for (const text of ["", "Hindi", "en us", "hi-", "deu/Latn", "x", "12", "../hi", "en,hi", "und", "und-Latn"]) {
    assert.is(languageTag(text), undefined, JSON.stringify(text));
  }
});

test.run();
