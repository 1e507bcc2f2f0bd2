import { indexFile } from "../checkpoint/weight-files.ts";
import { tokenizerSources } from "../folder/folder-tokenizer.ts";
import { cardFile } from "../folder/model-record.ts";
import { poolingFile } from "../folder/model-files.ts";
import type { ModelFiles } from "../folder/model-files.ts";

/** Files that describe a model and stay true of what is made of it. */
const carried = new Set([
  "added_tokens.json",
  "chat_template.jinja",
  "chat_template.json",
  "config.json",
  "config_sentence_transformers.json",
  "distribution.json",
  "generation_config.json",
  "modules.json",
  "preprocessor_config.json",
  "processor_config.json",
  "sentence_bert_config.json",
  "special_tokens_map.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "video_preprocessor_config.json",
  poolingFile,
  ...tokenizerSources,
]);

const legal = /^(LICEN[CS]E|NOTICE)(\.\w+)?$/;

/** Whether a file of this name is a licence or a notice. */
export const isLegalFile = (name: string): boolean => legal.test(name);

/** Whether a folder of safetensors that describes itself by carried files and a card may have a file of this path. */
export const mayHoldModel = (path: string): boolean =>
  carried.has(path) || isLegalFile(path) || path === cardFile || path === indexFile || /^[^/]+\.safetensors$/.test(path);

/** Whether a model has a file of this name. */
export const hasFile = async (files: ModelFiles, name: string): Promise<boolean> => (await files.list()).includes(name);

/** Names of the files that are copied byte for byte: configuration, tokenizer, what prepares images and pools states, language distribution, licences. */
export async function listCarriedFiles(files: ModelFiles): Promise<readonly string[]> {
  const names = await files.list();
  return names.filter((name) => carried.has(name) || isLegalFile(name));
}
