import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { makeTokenizer, sharedTokenizer, tokenizerLimit } from "../tokenizer/tokenizer.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { convertFolderTokenizer } from "./folder-tokenizer.ts";
import { isFile, parseJsonObject, readJsonFile, readLimited } from "./json-file.ts";
import type { JsonObject } from "./json-file.ts";
import { addressOf } from "./model-address.ts";
import type { ModelParts } from "./model-address.ts";
import { folderFiles, overlaidFiles } from "./model-files.ts";
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

/** What a tokenizer is described by. */
type TokenizerDescription = Pick<ModelDescription, "files" | "heldBytes" | "tokenizerAddress" | "tokenizer"> & {
  /** tokenizer.json */
  readonly bytes: Uint8Array;
};

/** That of a folder's tokenizer.json. It is parsed when it is asked for: most stages need its address alone. */
async function readTokenizer(folder: string, path: string): Promise<TokenizerDescription> {
  const bytes = await readLimited(path, tokenizerLimit);
  const tokenizerAddress = addressOf(bytes);
  return {
    bytes,
    files: folderFiles(folder),
    heldBytes: 0,
    tokenizerAddress,
    // read again: it is large, and a model may stay open for long
    async tokenizer() {
      const read = await readLimited(path, tokenizerLimit);
      if (addressOf(read) === tokenizerAddress)
        return sharedTokenizer(folder, tokenizerAddress, () => parseJsonObject(read, path, path));
      throw new BadDataError(`${path} has changed since the model was opened; run again`, { file: path });
    },
  };
}

/**
 * That of a folder without tokenizer.json, whose tokenizer is converted. The files of the model then have a tokenizer.json too,
 * and a tokenizer_config.json that names all special tokens: a folder that is written of them has the same address.
 */
async function convertTokenizer(folder: string, modelConfig: JsonObject): Promise<TokenizerDescription> {
  const { file, tokenizer, config } = await convertFolderTokenizer(folder, modelConfig);
  const encoder = new TextEncoder();
  const bytes = encoder.encode(JSON.stringify(tokenizer));
  if (bytes.length > tokenizerLimit) {
    throw new BadDataError(
      `${file} makes a tokenizer.json of ${bytes.length} bytes, more than the ${tokenizerLimit} allowed; is it the right file?`,
      { file, size: bytes.length },
    );
  }
  const contents = new Map([
    ["tokenizer.json", bytes],
    ["tokenizer_config.json", encoder.encode(`${JSON.stringify(config, undefined, 2)}\n`)],
  ]);
  return {
    bytes,
    files: overlaidFiles(folderFiles(folder), contents),
    heldBytes: bytes.length,
    tokenizerAddress: addressOf(bytes),
    // parsed when it is asked for, as above
    tokenizer: () =>
      Promise.resolve().then(() => makeTokenizer(file, JSON.parse(new TextDecoder().decode(bytes)) as JsonObject, config)),
  };
}

/**
 * The description in a folder.
 *
 * @throws {BadDataError} when config.json or the tokenizer is missing or broken
 * @throws {FailedPreconditionError} when there is no tokenizer.json, and the tokenizer is of a class or a kind that is not read
 */
export async function readDescription(folder: string): Promise<ModelDescription> {
  const configFile = join(folder, "config.json");
  const config = await readJsonFile(configFile, configLimit);
  const tokenizerFile = join(folder, "tokenizer.json");
  const { bytes, ...tokenizer } = (await isFile(tokenizerFile))
    ? await readTokenizer(folder, tokenizerFile)
    : await convertTokenizer(folder, config.value);
  return {
    config: config.value,
    configFile,
    parts: new Map([
      ["config.json", config.bytes],
      ["tokenizer.json", bytes],
    ]),
    ...tokenizer,
  };
}
