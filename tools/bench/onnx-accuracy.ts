/**
 * Perplexity of ONNX folders in each language beside that of a dense folder: what --accuracy-level and --embeddings cost.
 *
 * usage: node --conditions=mbs-source --import tsx tools/bench/onnx-accuracy.ts MODEL CORPUS WINDOWS FOLDER…
 *
 * MODEL is the same model in the dense format, scored by our own forward pass; CORPUS is as for `mbs evaluate`; windows of 256 tokens.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { at } from "@mbs/contracts";
import { openCorpus } from "@mbs/corpora";
import { openModel } from "@mbs/models";
import { createSession, floatTensor, floatValues, integerTensor } from "@mbs/onnx";
import type { Session, Tensor } from "@mbs/onnx";

const length = 256;
const [dense = "", corpusPath = "", windowText = "", ...folders] = process.argv.slice(2);

const model = await openModel(dense);
const tokenizer = await model.tokenizer();
const corpus = await openCorpus(corpusPath);

const config = JSON.parse(await readFile(join(dense, "config.json"), "utf8")) as Record<string, number | undefined>;
const heads = config["n_head"] ?? config["num_attention_heads"] ?? 1;
const cacheDims: readonly [number, number] = [
  config["num_key_value_heads"] ?? heads,
  config["head_dim"] ?? model.hiddenSize / heads,
];

async function windowsOf(language: string): Promise<Int32Array[]> {
  const windows: Int32Array[] = [];
  let rest: number[] = [];
  for await (const { text } of corpus.documents(language)) {
    rest = [...rest, ...tokenizer.encode(text)];
    while (rest.length >= length && windows.length < Number(windowText)) windows.push(Int32Array.from(rest.splice(0, length)));
    if (windows.length === Number(windowText)) break;
  }
  return windows;
}

function feedsFor(session: Session, tokens: Int32Array): Record<string, Tensor> {
  const [keyHeads, headSize] = cacheDims;
  const empty = floatTensor(new Float32Array(0), [1, keyHeads, 0, headSize]);
  const feeds: Record<string, Tensor> = {
    input_ids: integerTensor(tokens, [1, length]),
    attention_mask: integerTensor(new Int32Array(length).fill(1), [1, length]),
    position_ids: integerTensor(Int32Array.from(tokens.keys()), [1, length]),
  };
  return Object.fromEntries(session.inputNames.map((name) => [name, feeds[name] ?? empty]));
}

function lossOf(logits: Float32Array, tokens: Int32Array): number {
  const size = model.vocabularySize;
  let sum = 0;
  for (let position = 0; position + 1 < tokens.length; position++) {
    const row = logits.subarray(position * size, (position + 1) * size);
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    sum += most + Math.log(row.reduce((total, value) => total + Math.exp(value - most), 0)) - at(row, at(tokens, position + 1));
  }
  return sum / (tokens.length - 1);
}

const forward = await model.forward({ threads: 1 });

/** Nats a token by our own forward pass. */
async function ownLoss(tokens: Int32Array): Promise<number> {
  let states = await forward.embed(tokens);
  for (const index of model.blocks.keys()) states = await forward.block(index, states);
  const losses = await forward.score(states, tokens);
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

const sessions = await Promise.all(
  folders.map(async (folder) => ({
    folder,
    session: await createSession(join(folder, "onnx", "model_q4.onnx"), { threads: 1 }),
  })),
);
console.log(["language", dense, ...folders].join("\t"));
for (const language of corpus.languages) {
  const windows = await windowsOf(language);
  let own = 0;
  for (const tokens of windows) own += await ownLoss(tokens);
  const cells = [Math.exp(own / windows.length).toFixed(4)];
  for (const { session } of sessions) {
    let sum = 0;
    for (const tokens of windows) sum += lossOf(floatValues(await session.run(feedsFor(session, tokens)), "logits"), tokens);
    cells.push(Math.exp(sum / windows.length).toFixed(4));
  }
  console.log([language, ...cells].join("\t"));
}
for (const { session } of sessions) await session.release();
await forward.close();
await model.close();
