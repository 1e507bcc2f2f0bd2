import { test } from "uvu";
import * as assert from "uvu/assert";
import { languageOf } from "../src/configuration/task-language.ts";
import type { YamlValue } from "../src/yaml/read-yaml.ts";

const language = (name: string, configuration?: string, tags: readonly string[] = []): string | undefined =>
  languageOf({
    name,
    tags,
    settings: new Map<string, YamlValue>(configuration === undefined ? [] : [["dataset_name", configuration]]),
  });

test("the dataset's configuration names the language", () => {
  const named: [string, string, string][] = [
    ["belebele_hin_Deva", "hin_Deva", "hi"],
    ["belebele_hin_Latn", "hin_Latn", "hi-Latn"],
    ["belebele_zho_Hans", "zho_Hans", "zh"],
    ["belebele_zho_Hant", "zho_Hant", "zh-Hant"],
    ["belebele_kor_Hang", "kor_Hang", "ko"],
    ["global_piqa_parallel_cloze_apc_arab_jord", "apc_arab_jord", "apc"],
    ["include_base_44_german_stem", "German", "de"],
    ["include_base_44_bengali_stem", "Bengali", "bn"],
    ["xcopa_et", "et", "et"],
    ["xwinograd_jp", "jp", "ja"],
    ["xnli_eu_mt", "eu_mt", "eu"],
  ];
  for (const [name, configuration, expected] of named) assert.is(language(name, configuration), expected, name);
});

test("a code that Intl does not know counts beside the tag", () => {
  assert.is(language("multiblimp_aqz", "aqz", ["multiblimp"]), "aqz");
  assert.is(language("sglue_rte", "rte", ["super-glue-lm-eval-v1"]), undefined);
});

test("other configurations are no languages", () => {
  for (const [name, configuration] of [
    ["rte", "rte"],
    ["boolq", "boolq"],
    ["copa", "copa"],
    ["wic", "wic"],
    ["arc_easy", "ARC-Easy"],
    ["openbookqa", "main"],
    ["winogrande", "winogrande_xl"],
  ] as const) {
    assert.is(language(name, configuration), undefined, name);
  }
  assert.is(language("hellaswag"), undefined);
});

test.run();
