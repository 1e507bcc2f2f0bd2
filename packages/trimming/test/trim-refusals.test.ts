import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError, FailedPreconditionError, UsageError } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { putValue } from "@mbs/models/testing";
import { trim } from "../src/index.ts";
import {
  controlled,
  controlledTexts,
  forwardFixture,
  oldRows,
  readFamily,
  refusal,
  temporaryFolder,
  trimInto,
  writeCorpus,
  writeModel,
} from "./trimmed-model.ts";

const { root, remove } = await temporaryFolder();
test.after(remove);

const corpus = await writeCorpus(root, await controlledTexts(["en", "de", "ta"], 6));

test("what cannot be trimmed is refused with the remedy", async () => {
  const model = controlled("controlled-llama");
  const missing = await refusal(root, { model, corpus, keep: ["en", "xx", "yy"] });
  assert.instance(missing, UsageError);
  assert.match(
    missing.message,
    /^--keep en,xx,yy: corpus \S+ has no texts of xx \(no known language\), yy \(no known language\), but of de, en, ta; name some of these$/,
  );
  assert.instance(await refusal(root, { model, corpus, keep: [] }), UsageError);
  assert.instance(await refusal(root, { model, corpus, keep: ["en"], multiple: 0 }), UsageError);

  const { folder } = await trimInto(root, { model, corpus, keep: ["en"] });
  const again = await refusal(root, { model: folder, corpus, keep: ["en"] });
  assert.instance(again, FailedPreconditionError);
  assert.match(again.message, /is trimmed already; give the model that it was made from$/);

  const graph = join(root, "graph");
  await cp(forwardFixture("../onnx/gpt2-no-cache"), graph, { recursive: true });
  for (const file of ["config.json", "tokenizer.json"]) await cp(join(forwardFixture("gpt2-f32"), file), join(graph, file));
  assert.match(
    (await refusal(root, { model: graph, corpus, keep: ["en"] })).message,
    /is an ONNX model, whose vocabulary cannot be trimmed/,
  );

  const family = await readFamily("byte-level");
  const marked = { ...family, model: { ...(family["model"] as object), end_of_word_suffix: "</w>" } };
  const words = await refusal(root, { model: await writeModel(root, marked, { vocabularySize: 1402 }), corpus, keep: ["en"] });
  assert.match(words.message, /tokenizer\.json cannot be trimmed: it has end_of_word_suffix; byte-level BPE can be/);

  const path = join(folder, "config.json");
  await writeFile(path, (await readFile(path, "utf8")).replace('"rows": 4096', '"rows": "many"'));
  const broken = await openModel(folder).catch((reason: unknown) => reason);
  assert.instance(broken, BadDataError);
  assert.match(String(broken), "mbs_trimming is no record of a trimmed vocabulary");
});

test("NaN in a kept row, a weight or a norm is refused as in the source; --allow-nonfinite carries it and names it", async () => {
  const tokenizer = await readFamily("byte-level");
  const options = { corpus, keep: ["en"], multiple: 1 };
  const model = await writeModel(root, tokenizer, { vocabularySize: 1402 });
  const [first = -1] = await oldRows(model, (await trimInto(root, { ...options, model })).folder);
  assert.ok(first >= 0);
  // rows have 8 values
  for (const [ending, index] of [
    ["word_embeddings.weight", first * 8 + 3],
    ["dense_h_to_4h.weight", 9],
    ["ln_f.weight", 2],
  ] as const) {
    const sick = await writeModel(root, tokenizer, { vocabularySize: 1402 });
    const tensor = putValue(sick, ending, index, NaN);
    const { message } = await refusal(root, { ...options, model: sick });
    assert.match(message, new RegExp(`model\\.safetensors: tensor ${tensor} has NaN at index ${index}; .*--allow-nonfinite`));
    const { lines } = await trimInto(root, { ...options, model: sick, allowNonfinite: true });
    assert.ok(lines.includes(`1 tensor has NaN or Inf, written as it is: ${tensor}`), lines.join("\n"));
  }
});

test("a row with Inf that no kept language uses goes without a word", async () => {
  const tokenizer = await readFamily("byte-level");
  const model = await writeModel(root, tokenizer, { vocabularySize: 1402 });
  const options = { model, corpus, keep: ["en"], multiple: 1 };
  const kept = await oldRows(model, (await trimInto(root, options)).folder);
  const dropped = Array.from({ length: 1402 }, (_, row) => row).find((row) => !kept.includes(row));
  assert.ok(dropped !== undefined);
  putValue(model, "word_embeddings.weight", dropped * 8, Infinity);
  await trimInto(root, options);
});

test("a recipe's check refuses unknown languages and models that cannot be trimmed", async () => {
  const model = controlled("controlled-llama");
  const check = (options: Readonly<Record<string, unknown>>) =>
    trim.checkPlan?.({ model, corpus, keep: ["en"], ...options }, { solver: "rtn", codes: "none" });
  await check({});
  const unknown = await check({ keep: ["en", "xx"] })?.catch((reason: unknown) => reason);
  assert.instance(unknown, UsageError);
  assert.match(String(unknown), /--keep en,xx: corpus \S+ has no texts of xx \(no known language\), but of de, en, ta; name/);
  const { folder } = await trimInto(root, { model, corpus, keep: ["en"] });
  assert.instance(await check({ model: folder })?.catch((reason: unknown) => reason), FailedPreconditionError);
});

test("a kept language without a token is refused, and so is a token of the texts without a row", async () => {
  const few = await writeCorpus(root, { en: [""], de: ["Zubehör"] });
  const empty = await refusal(root, { model: controlled("controlled-llama"), corpus: few, keep: ["de", "en"] });
  assert.instance(empty, BadDataError);
  assert.match(
    empty.message,
    /^corpus \S+: the texts of en have no token, so none can be kept for it; give it texts, or leave it out of --keep$/,
  );

  const family = await readFamily("byte-level");
  const added = {
    id: 1410,
    content: "<late>",
    special: false,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  };
  const late = { ...family, added_tokens: [...(family["added_tokens"] as object[]), added] };
  const model = await writeModel(root, late, { vocabularySize: 1410 });
  const using = await writeCorpus(root, { en: ["$%&<late>"], de: ["$%&"] });
  const beyond = await refusal(root, { model, corpus: using, keep: ["en"] });
  assert.instance(beyond, BadDataError);
  assert.match(
    beyond.message,
    /tokenizer\.json: token "<late>", which the texts use, has id 1410, but the embedding has 1410 rows; take tokenizer and weights from the same source$/,
  );
  // no text uses it: nothing is read wrongly
  await trimInto(root, { model, corpus: using, keep: ["de"] });
});

test.run();
