import { access, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Files of a model folder that describe it and stay true of the compressed model. */
const carried = new Set([
  "added_tokens.json",
  "chat_template.jinja",
  "config.json",
  "distribution.json",
  "generation_config.json",
  "merges.txt",
  "special_tokens_map.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "vocab.json",
]);

const legal = /^(LICEN[CS]E|NOTICE)(\.\w+)?$/;

/** Whether a folder has a file of this name. */
export const hasFile = (folder: string, name: string): Promise<boolean> =>
  access(join(folder, name)).then(
    () => true,
    () => false,
  );

/** Names of the files that are copied byte for byte: configuration, tokenizer, language distribution, licences. */
export async function listCarriedFiles(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  return names.filter((name) => carried.has(name) || legal.test(name)).sort();
}
