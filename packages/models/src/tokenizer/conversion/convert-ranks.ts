import { BadDataError, FailedPreconditionError, isObject } from "@mbs/contracts";
import type { JsonObject } from "../../folder/json-file.ts";
import { findByteLevelWay } from "../../gguf/tokenizer/pre-tokenizers.ts";
import type { ByteLevelWay } from "../../gguf/tokenizer/pre-tokenizers.ts";
import { byteLevelBody } from "../byte-level-body.ts";
import { at, fieldsOf, listOf, refuseAt, text, whole } from "../json-shape.ts";
import type { JsonPosition } from "../json-shape.ts";
import { mergesOfScores } from "../sentencepiece/merges-of-scores.ts";
import { byteCharacters } from "../tiny-tokenizer.ts";
import { addedToken } from "../whole-tokenizer.ts";
import { convertedTokenizer } from "./converted-tokenizer.ts";
import type { ConvertedTokenizer } from "./converted-tokenizer.ts";
import { findSpecialTokens } from "./special-tokens.ts";
import type { TokenFiles } from "./special-tokens.ts";
import { findTokenizerClass, makeOne } from "./tokenizer-classes.ts";
import type { TokenizerClass } from "./tokenizer-classes.ts";

/** The longest tokens of tiktoken's files are runs of 128 spaces. */
const longestToken = 1024;

const characters = byteCharacters();

/** The bytes of a token as byte-level BPE writes them. */
const spelled = (base64: string): string => Array.from(Buffer.from(base64, "base64"), (byte) => characters[byte]).join("");

/**
 * Converts tokens that are merged by rank, the lowest first.
 *
 * @param ranked tokens in byte-level spelling, by rank
 * @param first id of the token of rank 0
 * @param specials tokens of other ids
 */
function convertRanks(
  ranked: readonly string[],
  first: number,
  specials: ReadonlyMap<number, string>,
  way: Pick<ByteLevelWay, "normalizer" | "preTokenizer" | "ignoreMerges">,
  kind: TokenizerClass,
  files: TokenFiles,
  file: string,
): ConvertedTokenizer {
  const refuse = (fault: string): never => {
    throw new BadDataError(`${file}: the tokens ${fault}; take the file from the model's source again`, { file });
  };
  const scores = new Map(ranked.map((token, rank) => [token, -rank]));
  if (scores.size < ranked.length) refuse("are not all different");
  if (ranked.some((token) => token === "")) refuse("have an empty one among them");
  if (ranked.some((token) => token.length > longestToken)) refuse(`have one of more than ${longestToken} bytes`);
  if (!characters.every((byte) => scores.has(byte))) refuse("do not have every byte among them");
  const merges = mergesOfScores(scores, refuse);
  const texts = new Map([...specials, ...ranked.map((token, rank): [number, string] => [first + rank, token])]);
  const own = [...specials].map(([id, token]) => addedToken(id, token, true));
  const special = findSpecialTokens(files, kind, texts, own);
  const vocab = Object.fromEntries([...special.texts].map(([id, token]) => [token, id]));
  return convertedTokenizer(byteLevelBody(vocab, merges, way), files, kind, special);
}

/**
 * Converts a tokenizer of tiktoken: lines of a token as base64 and its rank, as Llama 3's own tokenizer.model has them. Its
 * special tokens are those of `added_tokens_decoder`.
 *
 * @throws {BadDataError} where a line is malformed, or a rank is missing
 * @throws {FailedPreconditionError} where it is not of Llama's kind, or no file names its special tokens
 */
export function convertTiktoken(content: string, file: string, files: TokenFiles, modelConfig: JsonObject): ConvertedTokenizer {
  const kind = findTokenizerClass(files.folder, file, "pieces", files.config, modelConfig);
  if (kind.way === undefined || !isObject(files.config["added_tokens_decoder"])) {
    throw new FailedPreconditionError(
      `${file} is of tiktoken's kind, which does not say how texts are split nor which tokens are special; Llama's with added_tokens_decoder in tokenizer_config.json are read; ${makeOne(files.folder)}`,
      { file },
    );
  }
  const ranked = content.split("\n").flatMap((line, index) => {
    if (line === "") return [];
    const [, token, rank] = /^([A-Za-z0-9+/]+=*) (\d+)$/.exec(line) ?? [];
    if (token !== undefined && Number(rank) === index) return [spelled(token)];
    throw new BadDataError(
      `${file}: line ${index + 1} is ${JSON.stringify(line.slice(0, 60))}, not a token as base64 and its rank, ${index}; take the file from the model's source again`,
      { file, line: index + 1 },
    );
  });
  return convertRanks(ranked, 0, new Map(), findByteLevelWay(kind.way, file), kind, files, file);
}

/** Tokens of Mistral's files that name none: those of the versions up to 7. */
const usualSpecials: readonly string[] =
  "<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] [/TOOL_RESULTS] [TOOL_CALLS] [IMG] <pad> [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX] [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [TOOL_CONTENT]".split(
    " ",
  );

const tekken: TokenizerClass = {
  source: "pieces",
  names: { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>", pad_token: "<pad>" },
  addsBos: true,
};

const mostSpecials = 100_000;

/**
 * Converts Mistral's tekken.json. The ids of its special tokens come first, those without a name as "<SPECIAL_20>".
 *
 * @param json the parsed tekken.json
 * @see https://github.com/mistralai/mistral-common (tokens/tokenizers/tekken.py)
 * @throws {BadDataError} where it is malformed
 */
export function convertTekken(json: JsonObject, file: string, files: TokenFiles): ConvertedTokenizer {
  const position: JsonPosition = { file, path: "", depth: 0 };
  fieldsOf({
    config: fieldsOf({ pattern: text, default_vocab_size: whole(), default_num_special_tokens: whole(0, mostSpecials) }),
    vocab: listOf(fieldsOf({ rank: whole(), token_bytes: text })),
    "special_tokens?": listOf(fieldsOf({ rank: whole(0, mostSpecials), token_str: text })),
  })(json, position);
  const {
    config,
    vocab,
    special_tokens: listed,
  } = json as unknown as {
    readonly config: {
      readonly pattern: string;
      readonly default_vocab_size: number;
      readonly default_num_special_tokens: number;
    };
    readonly vocab: readonly { readonly rank: number; readonly token_bytes: string }[];
    readonly special_tokens?: readonly { readonly rank: number; readonly token_str: string }[];
  };
  const count = config.default_num_special_tokens;
  const named = new Map(
    listed === undefined ? usualSpecials.entries() : listed.map(({ rank, token_str: token }) => [rank, token] as const),
  );
  const specials = new Map(Array.from({ length: count }, (_, id) => [id, named.get(id) ?? `<SPECIAL_${id}>`]));
  const ranked = vocab.slice(0, Math.max(0, config.default_vocab_size - count)).map(({ rank, token_bytes: bytes }, index) => {
    if (rank !== index) refuseAt(at(at(at(position, "vocab"), index), "rank"), rank, String(index));
    return spelled(bytes);
  });
  const way = {
    normalizer: null,
    preTokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: config.pattern }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    ignoreMerges: true,
  };
  return convertRanks(ranked, count, specials, way, tekken, files, file);
}
