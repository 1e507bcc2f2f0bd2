import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unpackFiles } from "@mbs/artifacts";
import type { Matrix, StageContext } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { openModel, tokenIds } from "@mbs/models";
import type { JsonObject, Model } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import type { TinyModelOptions } from "@mbs/models/testing";
import { trim } from "../src/index.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));

/** The controlled models, and tiny random ones of the tests of `models`. */
export const controlled = (name: string): string => join(repository, "datasets", name);
export const forwardFixture = (name: string): string => join(repository, "packages/models/test/fixtures/forward", name);

export const encoderFixture = (name: string): string => join(repository, "packages/models/test/fixtures/encoders", name);

/** Tokenizers of the three families that can be trimmed. */
export const families = ["byte-level", "sentencepiece-bpe", "unigram"] as const;

export const readFamily = async (name: string): Promise<JsonObject> =>
  JSON.parse(await readFile(new URL(`fixtures/${name}.json`, import.meta.url), "utf8")) as JsonObject;

export const context = (lines: string[] = []): StageContext =>
  testContext({ warn: (line) => lines.push(line), note: (line) => lines.push(line) });

/** A folder of a test file, which is removed at its end. */
export async function temporaryFolder(): Promise<{ root: string; remove: () => Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), "trimming-test-"));
  return { root, remove: () => rm(root, { recursive: true }) };
}

let made = 0;

/** A corpus of some texts a language. */
export async function writeCorpus(root: string, texts: Readonly<Record<string, readonly string[]>>): Promise<string> {
  const folder = join(root, `texts-${made++}`);
  await mkdir(folder);
  for (const [language, own] of Object.entries(texts)) {
    const lines = own.map((text) => JSON.stringify({ text }));
    await writeFile(join(folder, `${language}.jsonl`), `${lines.join("\n")}\n`);
  }
  return folder;
}

/** The first controlled texts of some languages, which the tokenizers of `families` were trained on. */
export async function controlledTexts(languages: readonly string[], count: number): Promise<Record<string, readonly string[]>> {
  const read = languages.map(async (language) => {
    const file = await readFile(join(repository, `datasets/controlled-texts/calibration/${language}.jsonl`), "utf8");
    const texts = file
      .split("\n", count)
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line) as { text: string }).text.slice(0, 900));
    return [language, texts] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

/** A tiny random model with this tokenizer. */
export async function writeModel(root: string, tokenizer: JsonObject, options: TinyModelOptions = {}): Promise<string> {
  const folder = join(root, `model-${made++}`);
  await writeTinyModel(folder, { hiddenSize: 8, heads: 2, blocks: 1, ...options });
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  return folder;
}

export interface Trimmed {
  readonly folder: string;
  /** What the stage said. */
  readonly lines: readonly string[];
}

/** Trims a model into a new folder. */
export async function trimInto(root: string, options: Readonly<Record<string, unknown>>): Promise<Trimmed> {
  const lines: string[] = [];
  const folder = join(root, `trimmed-${made++}`);
  const { files } = await trim.run({}, options, context(lines));
  if (files === undefined) throw new Error("trim made no files");
  await unpackFiles(files, folder, {});
  return { folder, lines };
}

/** Logits of every position of a text, [length, vocabulary]. */
export async function logitsOf(model: Model, tokens: Int32Array): Promise<Matrix> {
  const forward = await model.forward({ threads: 1 });
  try {
    let states = await forward.embed(tokens);
    for (const index of model.blocks.keys()) states = await forward.block(index, states);
    return await forward.logits(states);
  } finally {
    await forward.close();
  }
}

/** A model that is closed at the end. */
export async function withModel<Result>(folder: string, use: (model: Model) => Promise<Result>): Promise<Result> {
  const model = await openModel(folder);
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

/** A JSON file of a model's folder. */
export const readJson = async (folder: string, name: string): Promise<JsonObject> =>
  JSON.parse(await readFile(join(folder, name), "utf8")) as JsonObject;

/** Tokens by their texts, also of a GGUF file. */
const idsOf = (path: string): Promise<ReadonlyMap<string, number>> =>
  withModel(path, async ({ files }) => tokenIds(JSON.parse(await files.text("tokenizer.json")) as JsonObject));

/** Of each new row the row of the source, by the names of tokens. */
export async function oldRows(source: string, trimmed: string): Promise<number[]> {
  const [old, own] = [await idsOf(source), await idsOf(trimmed)];
  const rows: number[] = [];
  for (const [token, id] of own) rows[id] = old.get(token) ?? -1;
  return rows;
}

export const textTokens = async (model: Model, text: string): Promise<Int32Array> => (await model.tokenizer()).encode(text);

/** What trimming is refused with. */
export async function refusal(root: string, options: Readonly<Record<string, unknown>>): Promise<Error> {
  try {
    await trimInto(root, options);
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it was trimmed");
}
