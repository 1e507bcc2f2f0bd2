import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import { trim } from "../src/index.ts";
import { sameColumns } from "./same-columns.ts";
import {
  context,
  controlled,
  controlledTexts,
  logitsOf,
  oldRows,
  readFamily,
  temporaryFolder,
  textTokens,
  trimInto,
  withModel,
  writeCorpus,
  writeModel,
} from "./trimmed-model.ts";

const { root, remove } = await temporaryFolder();
test.after(remove);

const corpus = await writeCorpus(root, await controlledTexts(["en", "de", "ta"], 6));

async function sameLogits(source: string, trimmed: string, text: string): Promise<void> {
  const rows = await oldRows(source, trimmed);
  const before = await withModel(source, async (model) => logitsOf(model, (await textTokens(model, text)).subarray(0, 32)));
  const after = await withModel(trimmed, async (model) => logitsOf(model, (await textTokens(model, text)).subarray(0, 32)));
  sameColumns(before, after, rows);
}

test("logits of kept tokens are those of the source, tied and untied, in one file or several", async () => {
  const [text = ""] = (await controlledTexts(["en"], 1))["en"] ?? [];
  const sources = [
    controlled("controlled-llama"),
    controlled("controlled-bloom"),
    await writeModel(root, await readFamily("sentencepiece-bpe"), { vocabularySize: 1408, shards: 2, dtype: "bf16" }),
    await writeModel(root, await readFamily("unigram"), { vocabularySize: 1403, dtype: "f32" }),
  ];
  for (const source of sources) {
    const { folder } = await trimInto(root, { model: source, corpus, keep: ["en"] });
    await sameLogits(source, folder, text);
  }
});

test("rows are copied byte for byte, everything else stays, and the folder says what it is", async () => {
  const source = controlled("controlled-llama");
  const { folder, lines } = await trimInto(root, { model: source, corpus, keep: ["en", "de"] });
  const rows = await oldRows(source, folder);
  await withModel(source, (old) =>
    withModel(folder, async (own) => {
      if (old.kind !== "architecture" || own.kind !== "architecture") throw new Error("no architecture");
      assert.equal(
        own.checkpoint.list().map(({ name }) => name),
        old.checkpoint.list().map(({ name }) => name),
      );
      for (const { name, shape, bytes } of own.checkpoint.list()) {
        const [before, after] = [
          Buffer.from(await old.checkpoint.readRaw(name)),
          Buffer.from(await own.checkpoint.readRaw(name)),
        ];
        if (name !== old.layout.embedding) {
          assert.ok(before.equals(after), name);
          continue;
        }
        const stride = bytes / at(shape, 0);
        for (const [row, oldRow] of rows.entries()) {
          const wanted = before.subarray(oldRow * stride, (oldRow + 1) * stride);
          assert.ok(after.subarray(row * stride, (row + 1) * stride).equals(wanted), `row ${row}`);
        }
      }
      assert.equal(own.trimming, {
        source: old.address,
        tokenizer: old.tokenizerAddress,
        rows: 4096,
        keep: ["en", "de"],
        corpus: own.trimming?.corpus,
        unnamed: [],
      });
      assert.is(own.vocabularySize, rows.length);
      assert.equal(own.notes, []);
    }),
  );
  assert.is(lines.length, 1);
  assert.match(at(lines, 0), new RegExp(`^${rows.length} of 4096 rows are kept for en, de: `));
  const again = await trimInto(root, { model: source, corpus, keep: ["en", "de"] });
  for (const name of await readdir(folder)) {
    assert.ok((await readFile(join(folder, name))).equals(await readFile(join(again.folder, name))), name);
  }
});

test("a quantised GGUF file becomes float32, and what is made of it is bf16 again", async () => {
  const source = fileURLToPath(new URL("../../models/test/fixtures/gguf/models/llama-q8.gguf", import.meta.url));
  const few = await writeCorpus(root, { en: ['!"#!"'] });
  const { folder, lines } = await trimInto(root, { model: source, corpus: few, keep: ["en"], multiple: 1 });
  assert.ok(
    lines.some((line) => line.endsWith("which holds them exactly; what is assembled of the trimmed model is bf16 again")),
  );
  await withModel(folder, async (own) => {
    if (own.kind !== "architecture") throw new Error("no architecture");
    assert.equal([own.dtype, own.writtenDtype, own.trimming?.dtype], ["f32", "bf16", "bf16"]);
  });
  await sameLogits(source, folder, '!"#!"');
});

test("the card is its own: licence, languages, rows and the model before", async () => {
  const source = await writeModel(root, await readFamily("unigram"), { vocabularySize: 1403, dtype: "f32" });
  const theirs =
    "---\nlicense: other\nlicense_link: https://example.org/terms\ntags: [chat]\nbase_model: a/b\n---\n# Another model\n";
  await writeFile(join(source, "README.md"), theirs);
  const address = await withModel(source, (model) => Promise.resolve(model.address));
  const { folder } = await trimInto(root, { model: source, corpus, keep: ["en", "de"] });
  const card = await readFile(join(folder, "README.md"), "utf8");
  const rows = await withModel(folder, (model) => Promise.resolve(model.vocabularySize));
  assert.match(
    card,
    '---\nlanguage: ["en","de"]\nlicense: "other"\nlicense_link: "https://example.org/terms"\ntags: ["multilingual-brain-surgeon"]\n---\n',
  );
  assert.match(card, `without the tokens that texts of en, de do not use. ${rows} of 1403 rows of the vocabulary stay;`);
  assert.match(card, `- model trimmed: \`${address}\``);
  assert.not.match(card, "Another model");
});

test("an abort ends it", async () => {
  const { files } = await trim.run(
    {},
    { model: controlled("controlled-llama"), corpus, keep: ["en"] },
    {
      ...context(),
      signal: AbortSignal.abort(),
    },
  );
  const failure = await (async () => {
    for await (const _ of files?.batches ?? []) continue;
  })().catch((reason: unknown) => reason);
  assert.match(String(failure), "stopped");
});

test.run();
