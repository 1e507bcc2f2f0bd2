import { BadDataError, InputOutputError } from "@mbs/contracts";
import { parseDistribution, presetNames, publishedLanguages, readDistribution } from "@mbs/corpora";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { withFolder } from "./temporary-folder.ts";

const address = (value: unknown): string => parseDistribution(value, "x").address;

test("the presets are those of datasets/distributions", () => {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  execFileSync(process.execPath, ["--import", "tsx", "tools/generate-presets.ts", "--check"], { cwd: root, stdio: "pipe" });
});

test("every preset reads, adds up to one and names its source", async () => {
  for (const name of ["bloom", "mbs-paper", "xglm", "mt5"]) assert.ok(presetNames.includes(name), name);
  for (const name of presetNames) {
    const { shares, source } = await readDistribution(name);
    const sum = [...shares.values()].reduce((all, share) => all + share, 0);
    assert.ok(Math.abs(sum - 1) < 1e-12, `${name}: ${sum}`);
    assert.ok(source.length > 10, name);
  }
});

test("a file and a model folder are read, shares normalised", async () => {
  const distribution = { unit: "bytes", source: "counted", shares: { "zh-Hans": 3, en: 1 }, tokens: 4 };
  await withFolder({ "distribution.json": JSON.stringify(distribution) }, async (folder) => {
    for (const path of [folder, join(folder, "distribution.json")]) {
      const { unit, name, shares } = await readDistribution(path);
      assert.is(unit, "bytes");
      assert.is(name, path === folder ? path.split("/").at(-1) : "distribution.json");
      assert.equal(
        [...shares],
        [
          ["zh-Hans", 0.75],
          ["en", 0.25],
        ],
      );
    }
  });
});

test("the address depends on unit and shares, not on their order or the name", () => {
  const first = address({ unit: "tokens", source: "a", shares: { en: 1, fr: 2 } });
  assert.match(first, /^[0-9a-f]{64}$/);
  assert.is(address({ name: "n", unit: "tokens", source: "b", shares: { fr: 2, en: 1 } }), first);
  assert.is.not(address({ unit: "bytes", source: "a", shares: { en: 1, fr: 2 } }), first);
  assert.is.not(address({ unit: "tokens", source: "a", shares: { en: 2, fr: 1 } }), first);
});

for (const [what, value] of [
  ["a list", []],
  ["an unknown unit", { unit: "words", source: "a", shares: { en: 1 } }],
  ["no source", { unit: "tokens", shares: { en: 1 } }],
  ["no language", { unit: "tokens", source: "a", shares: {} }],
  ["a negative share", { unit: "tokens", source: "a", shares: { en: -1 } }],
  ["a zero share", { unit: "tokens", source: "a", shares: { en: 0 } }],
  ["a text for a share", { unit: "tokens", source: "a", shares: { en: "1" } }],
  ["an endless sum", { unit: "tokens", source: "a", shares: { en: Number.MAX_VALUE, fr: Number.MAX_VALUE } }],
] as const) {
  test(`a distribution with ${what} is refused`, () => {
    assert.throws(
      () => parseDistribution(value, "here"),
      (error: unknown) => error instanceof BadDataError && error.message.startsWith("distribution here: "),
    );
  });
}

test("nothing of that name, and no JSON, are errors", async () => {
  try {
    await readDistribution("/absent/distribution.json");
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InputOutputError);
    assert.ok((error as Error).message.includes("mbs-paper"));
  }
  await withFolder({ "d.json": "{" }, async (folder) => {
    try {
      await readDistribution(join(folder, "d.json"));
      assert.unreachable();
    } catch (error) {
      assert.instance(error, BadDataError);
    }
  });
});

test("a language twice is refused, of which JSON.parse would keep the last", async () => {
  const text = '{"unit": "tokens", "source": "a", "shares": {"en": 0.99, "en": 0.01, "de": 0.5}}';
  await withFolder({ "d.json": text }, async (folder) => {
    const error = await readDistribution(join(folder, "d.json")).catch((thrown: unknown) => thrown);
    assert.instance(error, BadDataError);
    assert.match(String(error), /d\.json has the key "en" twice, the second time at character \d+; remove one of them$/);
  });
});

test("what is no regular file is refused, not waited for", async () => {
  await withFolder({}, async (folder) => {
    const path = join(folder, "distribution.json");
    execFileSync("mkfifo", [path]);
    for (const name of [folder, path]) {
      try {
        await readDistribution(name);
        assert.unreachable();
      } catch (error) {
        assert.instance(error, BadDataError);
        assert.match(String(error), "no regular file");
      }
    }
  });
});

test("a model's family is known by its type or by one of its names, with shares or with languages alone", () => {
  for (const [type, name, preset] of [
    ["bloom", "anything", "bloom"],
    ["smollm3", "x", "smollm3"],
    ["llama", "BSC-LT/salamandra-7b-instruct", "salamandra"],
    ["llama", "hf:meta-llama/Llama-2-7b-hf", "llama-2"],
    ["llama", "llama2-13b", "llama-2"],
    ["llama", "Llama-3.2-1B", undefined],
    ["llama", "llama-20b", undefined],
  ] as const) {
    const found = publishedLanguages(type, ["a folder", name]);
    assert.is(found.preset, preset, name);
    if (preset !== undefined) assert.ok(presetNames.includes(preset), preset);
  }
  const aya = publishedLanguages("cohere2", ["CohereForAI/aya-expanse-8b"]);
  assert.equal([aya.preset, aya.languages.length, new Set(aya.languages).size], [undefined, 23, 23]);
  assert.is(publishedLanguages("llama", ["utter-project/EuroLLM-1.7B"]).languages.length, 35);
  assert.equal(publishedLanguages("qwen3", ["Qwen3-0.6B"]).languages, []);
});

test.run();
