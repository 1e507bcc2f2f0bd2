import { cp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "@mbs/models";
import { readJson, temporaryFolder, trimInto, writeCorpus, writeModel } from "./trimmed-model.ts";

const { root, remove } = await temporaryFolder();
test.after(remove);

const fixtures = fileURLToPath(new URL("../../models/test/fixtures/tokenizer-files/", import.meta.url));
const texts = { en: ["The window shows all files of the folder.", "naïve 12 files ☃"], es: ["La ventana muestra todos"] };
const corpus = await writeCorpus(root, texts);

for (const [name, file, kind] of [
  ["llama", "tokenizer.model", "LlamaTokenizer"],
  ["mt5", "spiece.model", "T5Tokenizer"],
  ["gpt2", "vocab.json", "GPT2Tokenizer"],
] as const) {
  test(`${name}: a model without tokenizer.json is trimmed, and gets one in the place of ${file}`, async () => {
    const source = await writeModel(root, {}, { vocabularySize: 600 });
    await rm(join(source, "tokenizer.json"));
    for (const part of await readdir(join(fixtures, name))) {
      if (part !== "config.json" && part !== "golden.json") await cp(join(fixtures, name, part), join(source, part));
    }
    const config = await readJson(join(fixtures, name), "tokenizer_config.json");
    await writeFile(join(source, "tokenizer_config.json"), JSON.stringify({ ...config, tokenizer_class: kind }));
    const { folder } = await trimInto(root, { model: source, corpus, keep: ["en"], multiple: 1 });
    const names = await readdir(folder);
    assert.ok(names.includes("tokenizer.json"));
    assert.not(
      names.some((path) => [file, "merges.txt"].includes(path)),
      names.join(", "),
    );
    const [whole, trimmed] = [await openModel(source), await openModel(folder)];
    assert.ok(trimmed.vocabularySize < whole.vocabularySize);
    const [old, own] = [await whole.tokenizer(), await trimmed.tokenizer()];
    for (const text of texts.en) {
      const [before, after] = [old.encode(text), own.encode(text)];
      assert.is(after.length, before.length);
      assert.is(own.decode(after), old.decode(before));
    }
    await whole.close();
    await trimmed.close();
  });
}

test.run();
