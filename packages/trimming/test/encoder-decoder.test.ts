import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { advance, embedStreams, headStates, openModel, tokenIds } from "@mbs/models";
import type { Model } from "@mbs/models";
import { sameColumns } from "./same-columns.ts";
import { forwardFixture, oldRows, readJson, temporaryFolder, trimInto, writeCorpus } from "./trimmed-model.ts";

const { root, remove } = await temporaryFolder();
test.after(remove);

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
  const languages = { source: "en", target: undefined };
  const pair = ofPair?.(Int32Array.from(ids([5, 9, 30, 12])), Int32Array.from(ids([7, 38, 4])), languages);
  const forward = await model.forward({ threads: 1 });
  if (pair === undefined) throw new Error("no encoder-decoder");
  let states = await embedStreams(forward, pair.inputs);
  for (const block of model.blocks.keys()) states = await advance(forward, model.blocks, block, states, { batch: 1 });
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

test.run();
