import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runBlocks } from "@mbs/models";
import {
  encoderFixture,
  oldRows,
  readJson,
  refusal,
  temporaryFolder,
  trimInto,
  withModel,
  writeCorpus,
} from "./trimmed-model.ts";

const { root, remove } = await temporaryFolder();
test.after(remove);

const text = "the und la abc abd.";
const corpus = await writeCorpus(root, { en: [text] });

const statesOf = (folder: string): Promise<Float32Array> =>
  withModel(folder, async (model) => {
    const { ofPrompt } = await model.passages();
    const forward = await model.forward({ threads: 1 });
    const { values } = await runBlocks(model, forward, ofPrompt((await model.tokenizer()).encode(text)));
    await forward.close();
    return values;
  });

for (const name of ["bert-f32", "xlm-roberta-f32", "xlm-roberta-types-bf16"]) {
  test(`${name} is trimmed: the states of a text of kept languages stay the same bits`, async () => {
    const source = encoderFixture(name);
    const { folder } = await trimInto(root, { model: source, corpus, keep: ["en"], multiple: 1 });
    assert.equal(await statesOf(folder), await statesOf(source));
    const [before, after] = [await readJson(source, "config.json"), await readJson(folder, "config.json")];
    assert.ok(Number(after["vocab_size"]) < Number(before["vocab_size"]));
    for (const key of ["bos_token_id", "pad_token_id", "eos_token_id"]) assert.is(after[key], before[key], key);
    // words that the text does not have go: and, of, der, de, на; और stays, since its characters are no pieces of their own
    const rows = await oldRows(source, folder);
    assert.is(rows.length, after["vocab_size"]);
    assert.is(Number(before["vocab_size"]) - rows.length, 5);
    assert.equal(await readJson(folder, "1_Pooling/config.json"), await readJson(source, "1_Pooling/config.json"));
  });
}

test("an encoder is not trimmed where positions would be counted from another token", async () => {
  const source = join(root, "padded");
  await cp(encoderFixture("xlm-roberta-f32"), source, { recursive: true });
  const config = await readJson(source, "config.json");
  await writeFile(join(source, "config.json"), JSON.stringify({ ...config, pad_token_id: 20 }));
  const { message } = await refusal(root, { model: source, corpus, keep: ["en"], multiple: 1 });
  assert.match(message, /tokens before pad_token_id 20 would go, and positions are counted from it/);
});

test.run();
