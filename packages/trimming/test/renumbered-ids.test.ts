import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError } from "@mbs/contracts";
import { tokenIds } from "@mbs/models";
import type { JsonObject } from "@mbs/models";
import {
  controlledTexts,
  oldRows,
  readFamily,
  readJson,
  refusal,
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

test("ids are renumbered wherever a configuration names them, and nothing else is written again", async () => {
  const source = await writeModel(root, await readFamily("byte-level"), { vocabularySize: 1410 });
  const edited = async (name: string, text: string): Promise<void> => writeFile(join(source, name), text);
  const config = await readFile(join(source, "config.json"), "utf8");
  const padding = 1405;
  await edited(
    "config.json",
    config
      .replace('"bos_token_id": 1,', '"bos_token_id": 1400,\n  "layer_norm_scale": 1.0,')
      .replace('"eos_token_id": 2,', '"eos_token_id": [1401, 5],')
      .replace('"pad_token_id": 3,', `"pad_token_id": ${padding},`),
  );
  await edited(
    "generation_config.json",
    '{ "eos_token_id": [1401, 5], "pad_token_id": -1, "temperature": 1.0, "bad_words_ids": [[900], [1300, 7], [5, 1401]], "suppress_tokens": [5, 1300] }',
  );
  await edited(
    "tokenizer_config.json",
    '{ "bos_token": "<|begin_of_text|>", "added_tokens_decoder": { "1400": { "content": "<|begin_of_text|>" } }, "model_max_length": 1000000000000000019884624838656, "chat_template": "{% for m in messages %}{{ \'<|begin_of_text|>\' + m.role }}{{ \'\\\\n\' }}Zubehör{% endfor %}" }',
  );
  await edited("added_tokens.json", '{ "<|begin_of_text|>": 1400, "<|end_of_text|>": 1401 }');
  await edited("vocab.json", "{}");
  await edited("merges.txt", "");
  await edited("LICENSE", "as the source");
  const { folder } = await trimInto(root, { model: source, corpus, keep: ["en"], multiple: 1 });
  const own = tokenIds(await readJson(folder, "tokenizer.json"));
  const old = tokenIds(await readJson(source, "tokenizer.json"));
  const idOf = (id: number): number => own.get([...old].find(([, one]) => one === id)?.[0] ?? "") ?? -1;
  const [begin, end] = [idOf(1400), idOf(1401)];
  assert.ok(begin > 0 && end === begin + 1 && begin < 1400);

  const text = await readFile(join(folder, "config.json"), "utf8");
  const written = JSON.parse(text) as JsonObject;
  assert.is(written["bos_token_id"], begin);
  assert.equal(written["eos_token_id"], [end, idOf(5)]);
  assert.match(text, '"layer_norm_scale": 1.0,');
  // a row without a token, which is behind all others
  assert.is(written["pad_token_id"], end + 1);
  assert.is(written["vocab_size"], end + 2);
  assert.equal(await readJson(folder, "generation_config.json"), {
    eos_token_id: [end, idOf(5)],
    pad_token_id: -1,
    temperature: 1,
    bad_words_ids: [[5, 1401].map(idOf)],
    suppress_tokens: [idOf(5)],
  });
  const tokenizerText = await readFile(join(folder, "tokenizer_config.json"), "utf8");
  assert.match(tokenizerText, "1000000000000000019884624838656");
  assert.match(tokenizerText, "Zubehör{% endfor %}");
  assert.equal(Object.keys((JSON.parse(tokenizerText) as JsonObject)["added_tokens_decoder"] as object), [String(begin)]);
  assert.equal(await readJson(folder, "added_tokens.json"), { "<|begin_of_text|>": begin, "<|end_of_text|>": end });
  const names = await readdir(folder);
  assert.ok(names.includes("LICENSE") && !names.includes("vocab.json") && !names.includes("merges.txt"));

  // the template's own texts have the same tokens, though no text of the corpus has them
  await withModel(source, (before) =>
    withModel(folder, async (after) => {
      for (const own of ["Zubehör", "assistant", "\n"]) {
        assert.equal([...(await textTokens(after, own))], [...(await textTokens(before, own))].map(idOf), own);
      }
    }),
  );
});

test("listed added tokens stay, and no id is left that stands for another token", async () => {
  // rows 1402 to 1409 have no token; 1300 and 1301 are plain tokens that no text has
  const source = await writeModel(root, await readFamily("byte-level"), { vocabularySize: 1410 });
  const write = async (name: string, json: JsonObject): Promise<void> => writeFile(join(source, name), JSON.stringify(json));
  const few = await writeCorpus(root, { en: ["$%&"] });
  const wanted = { model: source, corpus: few, keep: ["en"], multiple: 1 };
  const bare = await trimInto(root, wanted);
  const before = await oldRows(source, bare.folder);
  assert.ok(!before.includes(1300) && !before.includes(1301));

  await write("tokenizer_config.json", {
    added_tokens_decoder: {
      1300: { content: "<a>" },
      1400: { content: "<|begin_of_text|>" },
      1404: { content: "<b>" },
      1410: {},
    },
  });
  await write("added_tokens.json", { "<c>": 1301, "<d>": 1405, "<gone>": 1411 });
  const { folder } = await trimInto(root, wanted);
  const rows = await oldRows(source, folder);
  assert.equal(
    rows,
    [...before, 1300, 1301].sort((a, b) => a - b),
  );
  const place = (id: number): number => rows.indexOf(id);
  const decoder = (await readJson(folder, "tokenizer_config.json"))["added_tokens_decoder"] as object;
  // two rows without a token come behind the others; what has no row and no token is left out
  const [b, d] = [rows.length, rows.length + 1];
  assert.equal(decoder, {
    [place(1300)]: { content: "<a>" },
    [place(1400)]: { content: "<|begin_of_text|>" },
    [b]: { content: "<b>" },
  });
  assert.equal(await readJson(folder, "added_tokens.json"), { "<c>": place(1301), "<d>": d });
  assert.is((await readJson(folder, "config.json"))["vocab_size"], rows.length + 2);

  await write("generation_config.json", { eos_token_id: [1401, 1410] });
  const refused = await refusal(root, wanted);
  assert.instance(refused, BadDataError);
  assert.match(
    refused.message,
    /generation_config\.json: eos_token_id names token 1410, which has no row in the embedding and is not in tokenizer\.json; correct/,
  );
});

test.run();
