import { join } from "node:path";
import { loadTokenizer, tokenizerLimit } from "../tokenizer/tokenizer.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { readJsonFile } from "./json-file.ts";
import type { JsonObject } from "./json-file.ts";
import { addressOf } from "./model-address.ts";
import type { ModelParts } from "./model-address.ts";
import { folderFiles } from "./model-files.ts";
import type { ModelFiles } from "./model-files.ts";

const configLimit = 10_000_000;

/** What every model has besides the weights. */
export interface ModelDescription {
  readonly config: JsonObject;
  /** Path of config.json, or of the file whose metadata stand for it; for messages. */
  readonly configFile: string;
  readonly files: ModelFiles;
  readonly parts: ModelParts;
  readonly tokenizerAddress: string;
  tokenizer(): Promise<Tokenizer>;
}

/** The description in a folder. @throws {BadDataError} when config.json or tokenizer.json is missing or broken */
export async function readDescription(folder: string): Promise<ModelDescription> {
  const configFile = join(folder, "config.json");
  const config = await readJsonFile(configFile, configLimit);
  const tokenizerJson = await readJsonFile(join(folder, "tokenizer.json"), tokenizerLimit);
  return {
    config: config.value,
    configFile,
    files: folderFiles(folder),
    parts: new Map([
      ["config.json", config.bytes],
      ["tokenizer.json", tokenizerJson.bytes],
    ]),
    tokenizerAddress: addressOf(tokenizerJson.bytes),
    tokenizer: () => loadTokenizer(folder, tokenizerJson.value),
  };
}
