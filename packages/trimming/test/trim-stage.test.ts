import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, BadDataError, FailedPreconditionError, UsageError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { advance, embedStreams, headStates, openModel, tokenIds } from "@mbs/models";
import type { JsonObject, Model } from "@mbs/models";
import { trim } from "../src/index.ts";
import {
  context,
  controlled,
  controlledTexts,
  forwardFixture,
  logitsOf,
  readFamily,
  temporaryFolder,
  trimInto,
  withModel,
  writeCorpus,
  writeModel,
} from "./trimmed-model.ts";

const { root, remove } = await temporaryFolder();
test.after(remove);

const corpus = await writeCorpus(root, await controlledTexts(["en", "de", "ta"], 6));

const readJson = async (folder: string, name: string): Promise<JsonObject> =>
  JSON.parse(await readFile(join(folder, name), "utf8")) as JsonObject;

/** Of each new row the row of the source, by the names of tokens. */
async function oldRows(source: string, trimmed: string): Promise<number[]> {
  const [old, own] = await Promise.all([source, trimmed].map((folder) => readJson(folder, "tokenizer.json")));
  const ids = tokenIds(old ?? {});
  const rows: number[] = [];
  for (const [token, id] of tokenIds(own ?? {})) rows[id] = ids.get(token) ?? -1;
  return rows;
}

const textTokens = async (model: Model, text: string): Promise<Int32Array> => (await model.tokenizer()).encode(text);

/**
 * The same products of the same rows: only the order of sums within a product may differ, where ONNX Runtime splits one of another
 * width otherwise. A sum of n products in float32 has an error of about √n·6e-8.
 */
const tolerance = 2e-6;

async function sameLogits(source: string, trimmed: string, text: string): Promise<void> {
  const rows = await oldRows(source, trimmed);
  const before = await withModel(source, async (model) => logitsOf(model, (await textTokens(model, text)).subarray(0, 32)));
  const after = await withModel(trimmed, async (model) => logitsOf(model, (await textTokens(model, text)).subarray(0, 32)));
  sameColumns(before, after, rows);
}

function sameColumns(before: Matrix, after: Matrix, rows: readonly number[]): void {
  assert.is(after.rows, before.rows);
  assert.is(after.columns, rows.length);
  const most = before.values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  for (let index = 0; index < after.values.length; index++) {
    const [row, column] = [Math.floor(index / after.columns), index % after.columns];
    const difference = Math.abs(at(after.values, index) - at(before.values, row * before.columns + at(rows, column)));
    assert.ok(difference <= tolerance * most, `row ${row}, token ${column}: ${difference} of ${most}`);
  }
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
  const refused = await refusal(wanted);
  assert.instance(refused, BadDataError);
  assert.match(
    refused.message,
    /generation_config\.json: eos_token_id names token 1410, which has no row in the embedding and is not in tokenizer\.json; correct/,
  );
});

const isAdded = ({ content }: { content: string }): boolean => !content.startsWith("<extra_id_");

const renamed = ([token, id]: [string, number]): [string, number] =>
  token.startsWith("<extra_id_") ? [`▁${token}`, id] : [id >= 40 ? `QQ${id}` : token, id];

/** The mT5 of the tests with 16 of its 64 tokens in capitals, which no text has, and its sentinels in the vocabulary, as mT5 has them. */
async function encoderDecoder(): Promise<string> {
  const folder = join(root, "mt5");
  await cp(forwardFixture("mt5-f32"), folder, { recursive: true });
  const json = await readJson(folder, "tokenizer.json");
  const added = (json["added_tokens"] as { content: string }[]).filter(isAdded);
  const vocab = Object.fromEntries([...tokenIds(json)].map(renamed));
  const model = { ...(json["model"] as object), vocab };
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify({ ...json, added_tokens: added, model }));
  return folder;
}

/** Logits of a target given its source, by their ids, and the tokens that are scored. */
const readPair = async (model: Model, ids: (tokens: number[]) => number[]): Promise<[Matrix, readonly number[]]> => {
  const { ofPair } = await model.passages();
  const pair = ofPair?.(Int32Array.from(ids([5, 9, 30, 12])), Int32Array.from(ids([7, 38, 4])));
  const forward = await model.forward({ threads: 1 });
  if (pair === undefined) throw new Error("no encoder-decoder");
  let states = await embedStreams(forward, pair.inputs);
  for (const step of model.steps.keys()) states = await advance(forward, model.steps, step, states, { batch: 1 });
  const logits = await forward.logits(headStates(states));
  await forward.close();
  return [logits, [...pair.scored]];
};

test("an encoder-decoder keeps its sentinels, and reads sources and targets as before", async () => {
  const source = await encoderDecoder();
  const few = await writeCorpus(root, { en: ["$%&"] });
  const { folder } = await trimInto(root, { model: source, corpus: few, keep: ["en"], multiple: 1 });
  const rows = await oldRows(source, folder);
  assert.is(rows.length, 64 - 16);
  const [before, after] = [await openModel(source), await openModel(folder)];
  const [old, oldTokens] = await readPair(before, (tokens) => tokens);
  const [own, ownTokens] = await readPair(after, (tokens) => tokens.map((token) => rows.indexOf(token)));
  assert.equal(
    ownTokens.map((token) => at(rows, token)),
    oldTokens,
  );
  sameColumns(old, own, rows);
  assert.equal(
    (await after.tokenizer()).sentinels.map((token) => at(rows, token)),
    (await before.tokenizer()).sentinels,
  );
  assert.is((await after.tokenizer()).sentinels.length, 8);
  await before.close();
  await after.close();
});

async function refusal(options: Readonly<Record<string, unknown>>): Promise<Error> {
  try {
    await trimInto(root, options);
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it was trimmed");
}

test("what cannot be trimmed is refused with the remedy", async () => {
  const model = controlled("controlled-llama");
  const missing = await refusal({ model, corpus, keep: ["en", "xx", "yy"] });
  assert.instance(missing, UsageError);
  assert.match(
    missing.message,
    /^--keep en,xx,yy: corpus \S+ has no texts of xx, yy, but of de, en, ta; name languages of the corpus$/,
  );
  assert.instance(await refusal({ model, corpus, keep: [] }), UsageError);
  assert.instance(await refusal({ model, corpus, keep: ["en"], multiple: 0 }), UsageError);

  const { folder } = await trimInto(root, { model, corpus, keep: ["en"] });
  const again = await refusal({ model: folder, corpus, keep: ["en"] });
  assert.instance(again, FailedPreconditionError);
  assert.match(again.message, /is trimmed already; give the model that it was made from$/);

  const graph = join(root, "graph");
  await cp(forwardFixture("../onnx/gpt2-no-cache"), graph, { recursive: true });
  for (const file of ["config.json", "tokenizer.json"]) await cp(join(forwardFixture("gpt2-f32"), file), join(graph, file));
  assert.match(
    (await refusal({ model: graph, corpus, keep: ["en"] })).message,
    /is an ONNX model, whose vocabulary cannot be trimmed/,
  );

  const family = await readFamily("byte-level");
  const marked = { ...family, model: { ...(family["model"] as object), end_of_word_suffix: "</w>" } };
  const words = await refusal({ model: await writeModel(root, marked, { vocabularySize: 1402 }), corpus, keep: ["en"] });
  assert.match(words.message, /tokenizer\.json cannot be trimmed: it has end_of_word_suffix; byte-level BPE can be/);

  const path = join(folder, "config.json");
  await writeFile(path, (await readFile(path, "utf8")).replace('"rows": 4096', '"rows": "many"'));
  const broken = await openModel(folder).catch((reason: unknown) => reason);
  assert.instance(broken, BadDataError);
  assert.match(String(broken), "mbs_trimming is no record of a trimmed vocabulary");
});

test("a recipe's check refuses unknown languages and models that cannot be trimmed", async () => {
  const model = controlled("controlled-llama");
  const check = (options: Readonly<Record<string, unknown>>) =>
    trim.checkPlan?.({ model, corpus, keep: ["en"], ...options }, { solver: "rtn", codes: "none" });
  await check({});
  const unknown = await check({ keep: ["en", "xx"] })?.catch((reason: unknown) => reason);
  assert.instance(unknown, UsageError);
  assert.match(String(unknown), /--keep en,xx: corpus \S+ has no texts of xx, but of de, en, ta; name/);
  const { folder } = await trimInto(root, { model, corpus, keep: ["en"] });
  assert.instance(await check({ model: folder })?.catch((reason: unknown) => reason), FailedPreconditionError);
});

test("a kept language without a token is refused, and so is a token of the texts without a row", async () => {
  const few = await writeCorpus(root, { en: [""], de: ["Zubehör"] });
  const empty = await refusal({ model: controlled("controlled-llama"), corpus: few, keep: ["de", "en"] });
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
  const beyond = await refusal({ model, corpus: using, keep: ["en"] });
  assert.instance(beyond, BadDataError);
  assert.match(
    beyond.message,
    /tokenizer\.json: token "<late>", which the texts use, has id 1410, but the embedding has 1410 rows; take tokenizer and weights from the same source$/,
  );
  // no text uses it: nothing is read wrongly
  await trimInto(root, { model, corpus: using, keep: ["de"] });
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
