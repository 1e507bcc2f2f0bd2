import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import type { ConvertedTokenizer } from "../tokenizer/conversion/converted-tokenizer.ts";
import { tokenizerLimit } from "../tokenizer/tokenizer.ts";
import { isFile, readJsonFile, readLimited } from "./json-file.ts";
import type { JsonObject } from "./json-file.ts";

const configLimit = 10_000_000;

/** Model files of SentencePiece; Llama 3's tokenizer.model is one of tiktoken. */
const pieceFiles = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model"];

/** Files that are enough to make a tokenizer.json of, together. */
const sources: readonly (readonly string[])[] = [
  ...pieceFiles.map((name) => [name]),
  ["tekken.json"],
  ["vocab.json", "merges.txt"],
];

/** Every file of which a tokenizer.json can be made. */
export const tokenizerSources: ReadonlySet<string> = new Set(sources.flat());

/** Whether a folder with these files has a tokenizer. */
export const hasTokenizer = (names: ReadonlySet<string>): boolean =>
  names.has("tokenizer.json") || sources.some((source) => source.every((name) => names.has(name)));

/** Whether a file begins with a line of tiktoken: a token as base64 and its rank. SentencePiece's begin with a line feed. */
const isTiktoken = (bytes: Uint8Array): boolean =>
  /^[A-Za-z0-9+/]+=* \d+\n/.test(new TextDecoder().decode(bytes.subarray(0, 2000)));

/**
 * The tokenizer of a folder without tokenizer.json, in the form of one.
 *
 * @param modelConfig config.json
 * @throws {BadDataError} where a file is broken, contradicts another one, or there is none
 * @throws {FailedPreconditionError} where it is of a class or a kind that is not read
 */
export async function convertFolderTokenizer(
  folder: string,
  modelConfig: JsonObject,
): Promise<ConvertedTokenizer & { readonly file: string }> {
  const json = async (name: string, limit = configLimit): Promise<JsonObject> => {
    const path = join(folder, name);
    return (await isFile(path)) ? (await readJsonFile(path, limit)).value : {};
  };
  const files = {
    folder,
    config: await json("tokenizer_config.json"),
    map: await json("special_tokens_map.json"),
    added: await json("added_tokens.json"),
  };
  for (const name of pieceFiles) {
    const file = join(folder, name);
    if (!(await isFile(file))) continue;
    const { pieceFileLimit } = await import("../tokenizer/sentencepiece/piece-file.ts");
    const bytes = await readLimited(file, pieceFileLimit);
    if (isTiktoken(bytes)) {
      const { convertTiktoken } = await import("../tokenizer/conversion/convert-ranks.ts");
      return { file, ...convertTiktoken(new TextDecoder().decode(bytes), file, files, modelConfig) };
    }
    const { convertPieces } = await import("../tokenizer/conversion/convert-pieces.ts");
    return { file, ...convertPieces(bytes, file, files, modelConfig, await json("vocab.json", tokenizerLimit)) };
  }
  const tekken = join(folder, "tekken.json");
  if (await isFile(tekken)) {
    const { convertTekken } = await import("../tokenizer/conversion/convert-ranks.ts");
    return { file: tekken, ...convertTekken((await readJsonFile(tekken, tokenizerLimit)).value, tekken, files) };
  }
  const [vocab, merges] = [join(folder, "vocab.json"), join(folder, "merges.txt")];
  if ((await isFile(vocab)) && (await isFile(merges))) {
    const { convertMerges } = await import("../tokenizer/conversion/convert-merges.ts");
    const { value } = await readJsonFile(vocab, tokenizerLimit);
    const text = new TextDecoder().decode(await readLimited(merges, tokenizerLimit));
    return { file: vocab, ...convertMerges({ value, file: vocab }, { text, file: merges }, files, modelConfig) };
  }
  throw new BadDataError(
    `${join(folder, "tokenizer.json")} is missing, and there is neither ${pieceFiles.join(", ")} nor tekken.json, nor vocab.json with merges.txt; the model folder must be complete`,
    { file: join(folder, "tokenizer.json") },
  );
}
