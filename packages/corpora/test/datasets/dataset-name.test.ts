import { UsageError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseDatasetCorpus, parseDatasetEntry, pinnedName } from "../../src/datasets/dataset-name.ts";
import { configOf, datasetPresets } from "../../src/datasets/dataset-presets.ts";
import { finewebConfigs } from "../../src/datasets/language-configs.ts";

test("a name says dataset, revision, config, split and rows", () => {
  const name = parseDatasetEntry("hf:datasets/org/texts@v1?config=hi&split=test&field=content&rows=50&part=held-out", "hi");
  assert.equal(name, {
    address: { repository: { type: "dataset", name: "org/texts" }, revision: "v1", text: "hf:datasets/org/texts@v1" },
    config: "hi",
    split: "test",
    path: undefined,
    field: "content",
    rows: 50,
    part: "held-out",
  });
  const plain = parseDatasetEntry("hf:datasets/texts", "hi");
  assert.equal([plain.address.revision, plain.config, plain.rows], ["main", undefined, 10_000]);
});

const configs = (text: string): unknown =>
  [...parseDatasetCorpus(text)].map(([language, { config }]) => `${language}=${config ?? ""}`);

test("languages are configs by a preset, by their own name, or as written", () => {
  assert.equal(configs("hf:datasets/HuggingFaceFW/fineweb-2?languages=hi,bn,zh,sr-Latn,yue,bho"), [
    "hi=hin_Deva",
    "bn=ben_Beng",
    "zh=cmn_Hani",
    "sr-Latn=srp_Latn",
    "yue=yue_Hani",
    "bho=bho_Deva",
  ]);
  assert.equal(configs("hf:datasets/HuggingFaceFW/fineweb-2?languages=hi:hin_Latn,mr"), ["hi=hin_Latn", "mr=mar_Deva"]);
  assert.equal(configs("hf:datasets/allenai/c4?languages=hi,bn"), ["hi=hi", "bn=bn"]);
  assert.equal(configs("hf:datasets/wikimedia/wikipedia?languages=hi:20231101.hi"), ["hi=20231101.hi"]);
  assert.equal(configs("hf:datasets/org/hindi?languages=hi&path=data/*.parquet"), ["hi="]);
  assert.is(parseDatasetEntry("hf:datasets/csebuetnlp/xlsum", "ta").address.revision, "refs/convert/parquet");
});

const find = (dataset: string, tags: string): string =>
  tags
    .split(" ")
    .map((tag) => {
      const preset = datasetPresets.get(dataset);
      return (preset && configOf(preset, tag)) ?? "-";
    })
    .join(" ");

test("tags of BCP 47 find their config, and one in another script does not", () => {
  assert.is(
    find("csebuetnlp/xlsum", "zh zh-TW zh_Hans sr sr-Latn pt-BR hi hi-Latn xh"),
    "chinese_simplified chinese_traditional chinese_simplified serbian_cyrillic serbian_latin portuguese hindi - -",
  );
  assert.is(find("uonlp/CulturaX", "no nb nn zh-Hant fil sw hi-Latn xh"), "no no nn zh tl sw - -");
  assert.is(find("allenai/MADLAD-400", "hi he fil zh-Hans zh-Hant yue ru-Latn"), "hi iw fil zh zh yue ru_Latn");
  assert.is(
    find("HuggingFaceFW/fineweb-2", "ar fa ms no nn en hi-Latn zh-Hant x--"),
    "arb_Arab fas_Arab zsm_Latn nob_Latn nno_Latn - hin_Latn cmn_Hani -",
  );
  assert.ok([...finewebConfigs.values()].every((config) => /^[a-z]{3}_[A-Z][a-z]{3}$/.test(config)));
});

for (const [text, message] of [
  ["hf:org/model", "no dataset on the Hub"],
  ["hf:datasets/../x?languages=hi", "no dataset on the Hub"],
  ["hf:datasets/a/b@../../x?languages=hi", "no dataset on the Hub"],
  ["hf:datasets/a/b?languages=hi&path=../x", "no dataset on the Hub"],
  ["hf:datasets/a/b?languages=hi:../x", "no new language"],
  ["hf:datasets/a/b", "names no languages; add languages=hi,bn"],
  ["hf:datasets/a/b?language=hi", '"language=hi" is no KEY=VALUE'],
  ["hf:datasets/a/b?languages=hi&languages=bn", "gives languages twice"],
  ["hf:datasets/a/b?languages=hi,hi", '"hi" is no new language'],
  ["hf:datasets/a/b?languages=hi,bn&config=x", "config and path are of one language"],
  ["hf:datasets/a/b?languages=hi&path=x&split=train", "gives path beside config or split"],
  ["hf:datasets/a/b?languages=hi&rows=0", "rows must be a whole number"],
  ["hf:datasets/a/b?languages=hi&part=rest", "part must be calibration or held-out"],
  ["hf:datasets/HuggingFaceFW/fineweb-2?languages=en", "no texts are known in en"],
] as const) {
  test(`${text} is refused`, () => {
    try {
      parseDatasetCorpus(text);
    } catch (error) {
      assert.instance(error, UsageError);
      assert.ok((error as Error).message.includes(message), (error as Error).message);
      return;
    }
    assert.unreachable();
  });
}

test("a name is pinned to a commit", () => {
  assert.is(pinnedName("hf:datasets/a/b?languages=hi", "0123"), "hf:datasets/a/b@0123?languages=hi");
  assert.is(pinnedName("hf:datasets/a/b@refs/x?rows=5", "0123"), "hf:datasets/a/b@0123?rows=5");
  assert.is(pinnedName("hf:datasets/a/b@main", "0123"), "hf:datasets/a/b@0123");
});

test.run();
