import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { at } from "@mbs/contracts";
import { writeTinyModel } from "@mbs/models/testing";
import type { TinyModelOptions } from "@mbs/models/testing";

/** Characters that the tokenizers of all tiny models have. */
const characters = Array.from({ length: 0x58 - 0x24 + 1 }, (_, code) => String.fromCharCode(0x24 + code));

/** Documents of characters that follow each other by a rule of the language. */
function document(language: number, number: number): string {
  let state = 7 + 31 * language + number;
  return Array.from({ length: 300 }, (_, place) => {
    state = (state * (5 + 2 * language) + place + 3) % 1009;
    return at(characters, (state + (place % (3 + language))) % characters.length);
  }).join("");
}

async function writeTexts(folder: string, offset: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [language, name] of ["en", "ja", "mr"].entries()) {
    const documents = Array.from({ length: 12 }, (_, number) => document(language, offset + number));
    await writeFile(join(folder, `${name}.txt`), `${documents.join("\n\n")}\n`);
  }
}

const read = async (file: string) => JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;

/** GGUF files are written only where llama.cpp has a name for how a tokenizer splits texts. */
async function splitAsBloom(folder: string): Promise<void> {
  const path = join(folder, "tokenizer.json");
  const { pre_tokenizer } = await read("datasets/controlled-bloom-small/tokenizer.json");
  await writeFile(path, JSON.stringify({ ...(await read(path)), pre_tokenizer }, undefined, 2));
}

/** The same model with a head of its own: the embedding, turned upside down. */
async function untie(folder: string): Promise<void> {
  const configPath = join(folder, "config.json");
  const config = JSON.parse(await readFile(configPath, "utf8")) as Record<string, unknown>;
  await writeFile(configPath, JSON.stringify({ ...config, tie_word_embeddings: false }, undefined, 2));
  const path = join(folder, "model.safetensors");
  const bytes = await readFile(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start)) as Record<
    string,
    { dtype: string; shape: [number, number]; data_offsets: [number, number] }
  >;
  const entry = header["transformer.word_embeddings.weight"];
  if (entry === undefined) throw new Error(`${path} has no embedding`);
  const [begin, end] = entry.data_offsets;
  const row = (end - begin) / entry.shape[0];
  const embedding = bytes.subarray(start + begin, start + end);
  const head = Buffer.concat(
    Array.from({ length: entry.shape[0] }, (_, index) => embedding.subarray(index * row, (index + 1) * row)).toReversed(),
  );
  const size = bytes.length - start;
  const text = Buffer.from(
    JSON.stringify({ ...header, "lm_head.weight": { ...entry, data_offsets: [size, size + head.length] } }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await writeFile(path, Buffer.concat([length, text, bytes.subarray(start), head]));
}

/** Writes models and texts that cases read and the repository does not have. */
export async function writeFixtures(work: string): Promise<void> {
  await writeTexts(join(work, "texts"), 0);
  await writeTexts(join(work, "heldout"), 500);
  const tiny = async (name: string, options: TinyModelOptions): Promise<string> => {
    const folder = join(work, name);
    await writeTinyModel(folder, options);
    await splitAsBloom(folder);
    return folder;
  };
  for (const hiddenSize of [32, 48, 64, 96]) await tiny(`tiny-${hiddenSize}`, { hiddenSize, seed: hiddenSize });
  await tiny("tiny-sharded", { seed: 5, shards: 3, dtype: "bf16" });
  // packed formats want a multiple of 32 rows
  await untie(await tiny("untied-256", { hiddenSize: 256, blocks: 1, seed: 9, vocabularySize: 288 }));
}
