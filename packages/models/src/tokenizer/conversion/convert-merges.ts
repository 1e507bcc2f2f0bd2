import { BadDataError, isObject } from "@mbs/contracts";
import type { JsonObject } from "../../folder/json-file.ts";
import { findByteLevelWay } from "../../gguf/tokenizer/pre-tokenizers.ts";
import { byteLevelBody } from "../byte-level-body.ts";
import { mapOf, whole } from "../json-shape.ts";
import { convertedTokenizer } from "./converted-tokenizer.ts";
import type { ConvertedTokenizer } from "./converted-tokenizer.ts";
import { findSpecialTokens } from "./special-tokens.ts";
import type { TokenFiles } from "./special-tokens.ts";
import { findTokenizerClass } from "./tokenizer-classes.ts";

/** The lines of merges.txt: two tokens each, with a space between. */
function readMerges(text: string, file: string): (readonly [string, string])[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (line === "" || line.startsWith("#version")) return [];
    const [left, right, ...more] = line.split(" ");
    if (left && right && more.length === 0) return [[left, right] as const];
    throw new BadDataError(
      `${file}: line ${index + 1} is ${JSON.stringify(line.slice(0, 60))}, not two tokens with a space between; take the file from the model's source again`,
      { file, line: index + 1 },
    );
  });
}

/** The pre-tokenizer, with a space put before texts. */
function withPrefix(preTokenizer: unknown): unknown {
  if (!isObject(preTokenizer)) return preTokenizer;
  const { type, pretokenizers: parts } = preTokenizer;
  if (Array.isArray(parts)) return { ...preTokenizer, pretokenizers: parts.map(withPrefix) };
  return type === "ByteLevel" ? { ...preTokenizer, add_prefix_space: true } : preTokenizer;
}

/**
 * Converts a byte-level BPE of vocab.json and merges.txt.
 *
 * @param vocab the parsed vocab.json
 * @param merges the text of merges.txt
 * @throws {BadDataError} where a file is broken, or contradicts another one
 * @throws {FailedPreconditionError} where it is of a class whose way of splitting texts is not known
 */
export function convertMerges(
  vocab: { readonly value: JsonObject; readonly file: string },
  merges: { readonly text: string; readonly file: string },
  files: TokenFiles,
  modelConfig: JsonObject,
): ConvertedTokenizer {
  const kind = findTokenizerClass(files.folder, vocab.file, "merges", files.config, modelConfig);
  mapOf(whole())(vocab.value, { file: vocab.file, path: "", depth: 0 });
  const texts = new Map<number, string>();
  for (const [token, id] of Object.entries(vocab.value as Readonly<Record<string, number>>)) {
    const other = texts.get(id);
    if (other !== undefined) {
      throw new BadDataError(
        `${vocab.file} gives ${JSON.stringify(other)} and ${JSON.stringify(token)} the id ${id}; take the file from the model's source again`,
        { file: vocab.file, id },
      );
    }
    texts.set(id, token);
  }
  const special = findSpecialTokens(files, kind, texts, []);
  const way = findByteLevelWay(kind.way, vocab.file);
  const ids = Object.fromEntries([...special.texts].map(([id, token]) => [token, id]));
  const isPrefixed = files.config["add_prefix_space"] === true;
  const body = byteLevelBody(ids, readMerges(merges.text, merges.file), {
    ...way,
    preTokenizer: (isPrefixed ? withPrefix(way.preTokenizer) : way.preTokenizer) as typeof way.preTokenizer,
  });
  return convertedTokenizer(body, files, kind, special);
}
