import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tokenIds } from "@mbs/models";
import { sameColumns } from "./same-columns.ts";
import {
  forwardFixture,
  logitsOf,
  oldRows,
  readJson,
  temporaryFolder,
  trimInto,
  withModel,
  writeCorpus,
} from "./trimmed-model.ts";

const { root, remove } = await temporaryFolder();
test.after(remove);

test("a gpt-oss in MXFP4 is trimmed to a dense folder with the logits of the tokens that stay", async () => {
  const source = join(root, "source");
  await cp(forwardFixture("gpt-oss-mxfp4-bf16"), source, { recursive: true });
  const json = await readJson(source, "tokenizer.json");
  // tokens that no text has
  const vocab = Object.fromEntries([...tokenIds(json)].map(([token, id]) => [id >= 40 ? `QQ${id}` : token, id]));
  const model = { ...(json["model"] as object), vocab };
  await writeFile(join(source, "tokenizer.json"), JSON.stringify({ ...json, model }));
  const corpus = await writeCorpus(root, { en: ["%&'()*+,-."] });
  const { folder, lines } = await trimInto(root, { model: source, corpus, keep: ["en"], multiple: 1 });

  assert.not.ok(lines.some((line) => line.includes("float32")));
  const config = await readJson(folder, "config.json");
  assert.equal([config["quantization_config"], config["dtype"], config["vocab_size"]], [undefined, "bfloat16", 40]);
  const rows = await oldRows(source, folder);
  assert.is(rows.length, 40);
  const tokens = [4, 5, 12, 7, 30, 9, 11, 6];
  const [before, after] = await Promise.all([
    withModel(source, (own) => logitsOf(own, Int32Array.from(tokens))),
    withModel(folder, (own) =>
      logitsOf(
        own,
        Int32Array.from(tokens, (token) => rows.indexOf(token)),
      ),
    ),
  ]);
  sameColumns(before, after, rows);
});

test.run();
