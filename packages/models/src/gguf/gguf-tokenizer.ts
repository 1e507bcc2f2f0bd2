import { FailedPreconditionError } from "@mbs/contracts";
import type { JsonObject } from "../folder/json-file.ts";
import { byteLevelBody } from "../tokenizer/byte-level-body.ts";
import { addedToken, wholeTokenizer } from "../tokenizer/whole-tokenizer.ts";
import type { AddedToken, NamedToken } from "../tokenizer/whole-tokenizer.ts";
import { tokenType } from "../tokenizer/sentencepiece/pieces.ts";
import { mergedBpe, sentencePieceBpe } from "./tokenizer/sentencepiece-bpe.ts";
import type { TokenizerKind } from "./tokenizer/tokenizer-kind.ts";
import {
  findFlag,
  findId,
  findText,
  readVocabulary,
  refuseKey,
  tokenizerKey,
  mergedPair,
} from "./tokenizer/tokenizer-metadata.ts";
import type { GgufMetadata, GgufVocabulary } from "./tokenizer/tokenizer-metadata.ts";
import { unigram } from "./tokenizer/unigram.ts";
import { findByteLevelWay } from "./tokenizer/pre-tokenizers.ts";
import { idsOf } from "./tokenizer/tokenizer-kind.ts";

/** The kind "gpt2": GPT-2's, Llama 3's, Qwen's, BLOOM's … */
const byteLevelBpe: TokenizerKind = (vocabulary, metadata, file) => {
  if (vocabulary.merges === undefined) return refuseKey(file, tokenizerKey("merges"), "is missing, which byte-level BPE needs");
  const way = findByteLevelWay(findText(metadata, tokenizerKey("pre"), file), file);
  return {
    vocabulary,
    ...byteLevelBody(idsOf(vocabulary), vocabulary.merges.map(mergedPair), way),
    addsBos: way.addsBos,
    addsEos: false,
    ids: {},
  };
};

/** A tokenizer as a model folder has it. */
export interface GgufTokenizer {
  /** tokenizer.json */
  readonly tokenizer: JsonObject;
  /** tokenizer_config.json: the special tokens by their texts, and the chat template. */
  readonly config: JsonObject;
}

const kinds: ReadonlyMap<string, TokenizerKind> = new Map([
  ["gpt2", byteLevelBpe],
  ["llama", sentencePieceBpe],
  ["gemma4", mergedBpe],
  ["t5", unigram],
]);

const isAdded = (type: number | undefined): boolean =>
  type === tokenType.control || type === tokenType.userDefined || type === tokenType.unknown;

const addedTokens = ({ tokens, types }: GgufVocabulary): AddedToken[] =>
  [...tokens.entries()].flatMap(([id, content]) =>
    isAdded(types[id]) && content !== "" ? [addedToken(id, content, types[id] !== tokenType.userDefined)] : [],
  );

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
      `${file} has a tokenizer of the kind ${JSON.stringify(name)}; supported: gpt2 (byte-level BPE), llama (BPE of SentencePiece), gemma4 (the same with merges), t5 (Unigram)`,
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
  const named = (id: number | undefined): NamedToken | undefined => (id === undefined ? id : { id, content: tokens[id] ?? "" });
  const chatTemplate = findText(metadata, "tokenizer.chat_template", file);
  return {
    tokenizer: wholeTokenizer(parts, addedTokens(parts.vocabulary), named(bos), named(eos)),
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
