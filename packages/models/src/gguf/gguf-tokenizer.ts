import { FailedPreconditionError } from "@mbs/contracts";
import type { JsonObject } from "../folder/json-file.ts";
import { spaceMark } from "../tokenizer/token-bytes.ts";
import { findByteLevelWay } from "./pre-tokenizers.ts";
import { mergesOfScores } from "./score-merges.ts";
import {
  findFlag,
  findId,
  findNumbers,
  findText,
  mergedPair,
  readVocabulary,
  refuseKey,
  tokenizerKey,
  tokenType,
} from "./tokenizer-metadata.ts";
import type { GgufMetadata, GgufVocabulary } from "./tokenizer-metadata.ts";

/** A tokenizer as a model folder has it. */
export interface GgufTokenizer {
  /** tokenizer.json */
  readonly tokenizer: JsonObject;
  /** tokenizer_config.json: the special tokens by their texts, and the chat template. */
  readonly config: JsonObject;
}

/** What one kind of tokenizer says. */
interface KindParts {
  /** The vocabulary, with the spelling of a tokenizer.json. */
  readonly vocabulary: GgufVocabulary;
  readonly normalizer: unknown;
  readonly preTokenizer: unknown;
  readonly decoder: unknown;
  readonly model: JsonObject;
  /** Whether the first and last tokens are put around a text where the file does not say: as llama.cpp does. */
  readonly addsBos: boolean;
  readonly addsEos: boolean;
  /** Ids where the file does not name them: as llama.cpp does. */
  readonly ids: { readonly bos?: number; readonly eos?: number; readonly unk?: number; readonly pad?: number };
}

/** Reads one kind of tokenizer. @param architecture `general.architecture` */
type Kind = (vocabulary: GgufVocabulary, metadata: GgufMetadata, file: string, architecture: string | undefined) => KindParts;

/** Names that conversions give to rows of the embedding that belong to no token. */
const placeholder = /^\[PAD\d+\]$/;

const isPlaceholder = ({ tokens, types }: GgufVocabulary, id: number): boolean =>
  tokens[id] === "" || (types[id] === tokenType.unused && placeholder.test(tokens[id] ?? ""));

/** Tokens with their ids, as `model.vocab` of BPE, without the rows that belong to none. */
const idsOf = (vocabulary: GgufVocabulary): JsonObject =>
  Object.fromEntries(
    [...vocabulary.tokens.entries()].flatMap(([id, token]) => (isPlaceholder(vocabulary, id) ? [] : [[token, id]])),
  );

const replacing = (pattern: JsonObject, content: string): JsonObject => ({ type: "Replace", pattern, content });

const byteLevelBpe: Kind = (vocabulary, metadata, file) => {
  if (vocabulary.merges === undefined) return refuseKey(file, tokenizerKey("merges"), "is missing, which byte-level BPE needs");
  const way = findByteLevelWay(findText(metadata, tokenizerKey("pre"), file), file);
  return {
    vocabulary,
    normalizer: way.normalizer,
    preTokenizer: way.preTokenizer,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: way.ignoreMerges,
      vocab: idsOf(vocabulary),
      merges: vocabulary.merges.map(mergedPair),
    },
    addsBos: way.addsBos,
    addsEos: false,
    ids: {},
  };
};

/**
 * SentencePiece gives user-defined tokens the score 0, conversions to GGUF another one, which would rank Gemma's runs of
 * spaces behind all words.
 */
const userDefinedScore = 0;

/** Conversions write the space mark of user-defined tokens as a space; runs of spaces are found after the normalizer only. */
function markSpaces(vocabulary: GgufVocabulary): GgufVocabulary {
  const known = new Set(vocabulary.tokens);
  const marked = (token: string, id: number): string => {
    const run = spaceMark.repeat(token.length);
    return vocabulary.types[id] === tokenType.userDefined && /^ +$/.test(token) && !known.has(run) ? run : token;
  };
  return { ...vocabulary, tokens: vocabulary.tokens.map(marked) };
}

/** The pieces that are found by merging, with the scores of SentencePiece. */
function scoredPieces({ tokens, types }: GgufVocabulary, scores: ArrayLike<number>): ReadonlyMap<string, number> {
  const normal = [...tokens.keys()].filter((id) => types[id] === tokenType.normal);
  // conversions from a tokenizer.json give one score to all: then the order of training is that of the ids
  const isRanked = normal.some((id) => scores[id] !== scores[normal[0] ?? 0]);
  const pieces = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    const score = isRanked ? scores[id] : -id;
    if (types[id] === tokenType.userDefined) pieces.set(token, userDefinedScore);
    else if (types[id] === tokenType.normal && score !== undefined) pieces.set(token, score);
  }
  return pieces;
}

const sentencePieceBpe: Kind = (read, metadata, file) => {
  const vocabulary = markSpaces(read);
  const { tokens, scores, types } = vocabulary;
  if (scores === undefined)
    return refuseKey(file, tokenizerKey("scores"), "is missing, which a vocabulary of SentencePiece needs");
  const unk =
    findId(metadata, tokenizerKey("unknown_token_id"), tokens.length, file) ?? findType(vocabulary, tokenType.unknown) ?? 0;
  const hasBytes = tokens.some((_, id) => types[id] === tokenType.byte);
  const prefixed = findFlag(metadata, tokenizerKey("add_space_prefix"), file) ?? true;
  const marked = replacing({ String: " " }, spaceMark);
  const decoders = [
    replacing({ String: spaceMark }, " "),
    { type: "ByteFallback" },
    { type: "Fuse" },
    ...(prefixed ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
  ];
  return {
    vocabulary,
    normalizer: prefixed ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: spaceMark }, marked] } : marked,
    preTokenizer: null,
    decoder: { type: "Sequence", decoders },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: tokens[unk] ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: hasBytes,
      ignore_merges: false,
      vocab: idsOf(vocabulary),
      merges: mergesOfScores(scoredPieces(vocabulary, scores), file),
    },
    addsBos: true,
    addsEos: false,
    ids: { bos: 1, eos: 2, unk },
  };
};

/** The id of the only token of a type, undefined where there is none or several. */
function findType({ tokens, types }: GgufVocabulary, type: number): number | undefined {
  const ids = [...tokens.keys()].filter((id) => types[id] === type);
  return ids.length === 1 ? ids[0] : undefined;
}

/**
 * T5's checkpoints have more rows than tokens, and its tokenizer adds its sentinels in the first of them, the last sentinel
 * first (transformers, T5Tokenizer: `extra_ids` is 100). Conversions from SentencePiece's model leave them out.
 */
const t5Sentinels = 100;

function withSentinels(vocabulary: GgufVocabulary): GgufVocabulary {
  const tokens = [...vocabulary.tokens];
  const types = Array.from(vocabulary.types);
  const first = tokens.findIndex((_, id) => isPlaceholder(vocabulary, id));
  const isFree = first >= 0 && first + t5Sentinels <= tokens.length && !tokens.some((token) => token.includes("<extra_id_"));
  if (!isFree) return vocabulary;
  for (let index = 0; index < t5Sentinels; index++) {
    tokens[first + index] = `<extra_id_${t5Sentinels - 1 - index}>`;
    types[first + index] = tokenType.control;
  }
  return { ...vocabulary, tokens, types };
}

const unigram: Kind = (read, metadata, file, architecture) => {
  const vocabulary = architecture === "t5" || architecture === "t5encoder" ? withSentinels(read) : read;
  const { tokens, scores, types } = vocabulary;
  if (scores === undefined) return refuseKey(file, tokenizerKey("scores"), "is missing, which Unigram needs");
  const unknown = findId(metadata, tokenizerKey("unknown_token_id"), tokens.length, file);
  const unk = unknown ?? findType(vocabulary, tokenType.unknown) ?? 2;
  if (unk >= tokens.length)
    return refuseKey(file, tokenizerKey("unknown_token_id"), "is missing, and no token is the unknown one");
  const lowest = tokens.reduce(
    (least, _, id) => (types[id] === tokenType.normal ? Math.min(least, scores[id] ?? Number.NaN) : least),
    0,
  );
  const last = tokens.findLastIndex((_, id) => !isPlaceholder(vocabulary, id));
  const vocab = tokens.slice(0, last + 1).map((token, id) => {
    // the score of tokens that stand for no text counts for nothing but the penalty of unknown characters
    if (isPlaceholder(vocabulary, id)) return [token === "" ? `[EMPTY_${id}]` : token, lowest];
    return [token, types[id] === tokenType.normal || types[id] === tokenType.unused ? scores[id] : 0];
  });
  const charsmap = findCharsmap(metadata, file);
  const prefixed = findFlag(metadata, tokenizerKey("add_space_prefix"), file) ?? true;
  const trims = findFlag(metadata, tokenizerKey("remove_extra_whitespaces"), file) ?? false;
  const normalizers = [
    ...(charsmap === undefined ? [] : [{ type: "Precompiled", precompiled_charsmap: charsmap }]),
    ...(trims ? [replacing({ Regex: String.raw`\A +| +\z` }, ""), replacing({ Regex: " {2,}" }, " ")] : []),
  ];
  const metaspace = { type: "Metaspace", replacement: spaceMark, prepend_scheme: prefixed ? "always" : "never", split: true };
  return {
    vocabulary,
    normalizer: normalizers.length === 0 ? null : { type: "Sequence", normalizers },
    preTokenizer: metaspace,
    decoder: metaspace,
    model: { type: "Unigram", unk_id: unk, vocab, byte_fallback: tokens.some((_, id) => types[id] === tokenType.byte) },
    addsBos: false,
    addsEos: true,
    ids: { eos: 1, unk, pad: 0 },
  };
};

/** SentencePiece's compiled table of characters, as base64. */
function findCharsmap(metadata: GgufMetadata, file: string): string | undefined {
  const key = tokenizerKey("precompiled_charsmap");
  const values = findNumbers(metadata, key, file);
  if (values === undefined || values.length === 0) return undefined;
  // int8 or uint8, as the writer had it
  const bytes = Buffer.from(Array.from(values, (value) => value & 0xff));
  const trie = bytes.length < 4 ? -1 : bytes.readUInt32LE(0);
  if (trie < 0 || trie % 4 !== 0 || trie + 4 >= bytes.length)
    refuseKey(file, key, `has ${bytes.length} bytes, which its own length of ${trie} does not fit`);
  return bytes.toString("base64");
}

const kinds: ReadonlyMap<string, Kind> = new Map([
  ["gpt2", byteLevelBpe],
  ["llama", sentencePieceBpe],
  ["t5", unigram],
]);

const isAdded = (type: number | undefined): boolean =>
  type === tokenType.control || type === tokenType.userDefined || type === tokenType.unknown;

/** Tokens that are found in a text before anything else is done with it. */
const addedTokens = ({ tokens, types }: GgufVocabulary): JsonObject[] =>
  [...tokens.entries()].flatMap(([id, content]) =>
    isAdded(types[id]) && content !== ""
      ? [
          {
            id,
            content,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: types[id] !== tokenType.userDefined,
          },
        ]
      : [],
  );

/** Puts the first and the last token around a text, where there are such. */
function template(tokens: readonly string[], bos: number | undefined, eos: number | undefined): JsonObject | null {
  const around = new Map([bos, eos].flatMap((id) => (id === undefined ? [] : [[tokens[id] ?? "", id]])));
  if (around.size === 0) return null;
  const put = (id: number | undefined, type: number): JsonObject[] =>
    id === undefined ? [] : [{ SpecialToken: { id: tokens[id], type_id: type } }];
  const text = (id: string, type: number): JsonObject[] => [
    ...put(bos, type),
    { Sequence: { id, type_id: type } },
    ...put(eos, type),
  ];
  return {
    type: "TemplateProcessing",
    single: text("A", 0),
    pair: [...text("A", 0), ...text("B", 1)],
    special_tokens: Object.fromEntries([...around].map(([token, id]) => [token, { id: token, ids: [id], tokens: [token] }])),
  };
}

/**
 * The tokenizer that a GGUF file's metadata describe, as a model folder would have it.
 *
 * It gives the tokens of the model's own tokenizer.json. Where llama.cpp gives others, as it does not compose texts (NFC), the
 * original counts: the model was trained with it. What a GGUF file does not say is left out: tokens that take the spaces
 * around them (`lstrip`, `rstrip`), and where Llama 2's space goes after a special token (`legacy`).
 *
 * @param metadata with the keys `tokenizer.*` and `general.architecture`
 * @param file for messages
 * @throws {BadDataError} when lists contradict each other, or an id is no token's
 * @throws {FailedPreconditionError} when it is of a kind or a pre-tokenizer that is not read
 */
export function tokenizerFromGguf(metadata: GgufMetadata, file: string): GgufTokenizer {
  const name = findText(metadata, tokenizerKey("model"), file);
  if (name === undefined) return refuseKey(file, tokenizerKey("model"), "is missing, so texts have no tokens");
  const kind = kinds.get(name);
  if (kind === undefined) {
    throw new FailedPreconditionError(
      `${file} has a tokenizer of the kind ${JSON.stringify(name)}; supported: gpt2 (byte-level BPE), llama (BPE of SentencePiece), t5 (Unigram)`,
      { file, tokenizer: name },
    );
  }
  const architecture = findText(metadata, "general.architecture", file);
  const parts = kind(readVocabulary(metadata, file), metadata, file, architecture);
  const { tokens } = parts.vocabulary;
  const idOf = (key: string, otherwise: number | undefined): number | undefined => {
    const id = findId(metadata, tokenizerKey(key), tokens.length, file);
    return id ?? (otherwise !== undefined && otherwise < tokens.length ? otherwise : undefined);
  };
  const ids = {
    bos_token: idOf("bos_token_id", parts.ids.bos),
    eos_token: idOf("eos_token_id", parts.ids.eos),
    unk_token: idOf("unknown_token_id", parts.ids.unk),
    pad_token: idOf("padding_token_id", parts.ids.pad),
  };
  const put = (key: string, otherwise: boolean, id: number | undefined): number | undefined => {
    const wanted = findFlag(metadata, tokenizerKey(key), file);
    if (wanted === true && id === undefined) refuseKey(file, tokenizerKey(key), "is true, but the file names no such token");
    return (wanted ?? otherwise) ? id : undefined;
  };
  const bos = put("add_bos_token", parts.addsBos, ids.bos_token);
  const eos = put("add_eos_token", parts.addsEos, ids.eos_token);
  const chatTemplate = findText(metadata, "tokenizer.chat_template", file);
  return {
    tokenizer: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: addedTokens(parts.vocabulary),
      normalizer: parts.normalizer,
      pre_tokenizer: parts.preTokenizer,
      post_processor: template(tokens, bos, eos),
      decoder: parts.decoder,
      model: parts.model,
    },
    config: {
      tokenizer_class: "PreTrainedTokenizerFast",
      clean_up_tokenization_spaces: false,
      add_bos_token: bos !== undefined,
      add_eos_token: eos !== undefined,
      ...Object.fromEntries(Object.entries(ids).flatMap(([key, id]) => (id === undefined ? [] : [[key, tokens[id]]]))),
      ...(chatTemplate === undefined ? {} : { chat_template: chatTemplate }),
    },
  };
}
