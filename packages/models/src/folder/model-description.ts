import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { loadTokenizer, tokenizerLimit } from "../tokenizer/tokenizer.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { readJsonFile, readLimited } from "./json-file.ts";
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
  /** Memory that it holds, about, in bytes. */
  readonly heldBytes: number;
  readonly tokenizerAddress: string;
  tokenizer(): Promise<Tokenizer>;
}

/**
 * The description in a folder. The tokenizer is parsed when it is asked for: most stages need its address alone.
 *
 * @throws {BadDataError} when config.json is missing or broken, or tokenizer.json missing
 */
export async function readDescription(folder: string): Promise<ModelDescription> {
  const configFile = join(folder, "config.json");
  const tokenizerFile = join(folder, "tokenizer.json");
  const config = await readJsonFile(configFile, configLimit);
  const tokenizerBytes = await readLimited(tokenizerFile, tokenizerLimit);
  const tokenizerAddress = addressOf(tokenizerBytes);
  return {
    config: config.value,
    configFile,
    files: folderFiles(folder),
    parts: new Map([
      ["config.json", config.bytes],
      ["tokenizer.json", tokenizerBytes],
    ]),
    heldBytes: 0,
    tokenizerAddress,
    // read again: it is large, and a model may stay open for long
    async tokenizer() {
      const { bytes, value } = await readJsonFile(tokenizerFile, tokenizerLimit);
      if (addressOf(bytes) === tokenizerAddress) return loadTokenizer(folder, value);
      throw new BadDataError(`${tokenizerFile} has changed since the model was opened; run again`, { file: tokenizerFile });
    },
  };
}
