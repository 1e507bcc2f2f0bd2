/*
 * Ours against the originals and against independent programs:
 *
 *   node --conditions=mbs-source --import tsx tools/golden/gguf-tokenizers/check.ts WORK [NAME…]
 *
 * Writes WORK/cases/NAME/ours.json, which compare.py reads with the Python library. With WORK/pre-tokenizers.json absent,
 * writes that and stops: cases.py trains a tokenizer for each.
 */
import { existsSync } from "node:fs";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findByteLevelWay, preTokenizerNames } from "../../../packages/models/src/gguf/tokenizer/pre-tokenizers.ts";
import { tokenizerFromGguf } from "../../../packages/models/src/gguf/gguf-tokenizer.ts";
import { makeHubTokenizer } from "../../../packages/models/src/tokenizer/tokenizer.ts";
import type { JsonObject } from "../../../packages/models/src/folder/json-file.ts";

const [work, ...wanted] = process.argv.slice(2);
if (work === undefined) throw new Error("usage: check.ts WORK [NAME…]");
const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, "utf8")) as unknown;

const splits = join(work, "pre-tokenizers.json");
if (!existsSync(splits)) {
  await writeFile(
    splits,
    JSON.stringify(Object.fromEntries(preTokenizerNames.map((name) => [name, findByteLevelWay(name, name)]))),
  );
  process.exit();
}

const texts = (await readJson(join(work, "texts.json"))) as { name: string; text: string }[];

/** How many texts have the same tokens, and the first that has not. */
function compare(what: string, tokens: readonly number[][], others: readonly number[][]): string {
  const different = texts
    .filter((_, index) => JSON.stringify(tokens[index]) !== JSON.stringify(others[index]))
    .map(({ name }) => name);
  return `${what}: ${texts.length - different.length} of ${texts.length}${different.length === 0 ? "" : ` (not ${different.slice(0, 40).join(", ")})`}`;
}

const names = wanted.length > 0 ? wanted : (await readdir(join(work, "cases"))).toSorted();
for (const name of names) {
  const folder = join(work, "cases", name);
  const metadata = new Map(Object.entries((await readJson(join(folder, "metadata.json"))) as JsonObject));
  const { tokenizer, config } = tokenizerFromGguf(metadata, name);
  await writeFile(join(folder, "ours.json"), JSON.stringify(tokenizer));
  const encode = (json: JsonObject): number[][] => {
    const hub = makeHubTokenizer(name, json, config);
    return texts.map(({ text }) => hub.encode(text, { add_special_tokens: false }).ids);
  };
  const tokens = encode(tokenizer);
  const results: string[] = [];
  if (existsSync(join(folder, "original.json")))
    results.push(compare("original", tokens, encode((await readJson(join(folder, "original.json"))) as JsonObject)));
  for (const other of ["golden", "llama.cpp"]) {
    if (existsSync(join(folder, `${other}.json`)))
      results.push(compare(other, tokens, (await readJson(join(folder, `${other}.json`))) as number[][]));
  }
  console.log(`${name}: ${results.join("; ")}`);
}
