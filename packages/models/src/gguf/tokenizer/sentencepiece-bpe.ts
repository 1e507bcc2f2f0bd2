import { spaceMark } from "../../tokenizer/token-bytes.ts";
import { bpeBody } from "../../tokenizer/sentencepiece/bpe-body.ts";
import type { BpePieces } from "../../tokenizer/sentencepiece/bpe-body.ts";
import { mergesOfScores, scoredPieces } from "../../tokenizer/sentencepiece/merges-of-scores.ts";
import { tokenType } from "../../tokenizer/sentencepiece/pieces.ts";
import { findType, idsOf } from "./tokenizer-kind.ts";
import type { TokenizerKind } from "./tokenizer-kind.ts";
import { findFlag, findId, mergedPair, refuseKey, tokenizerKey } from "./tokenizer-metadata.ts";
import type { GgufVocabulary } from "./tokenizer-metadata.ts";

/** Conversions write the space mark of user-defined tokens as a space; runs of spaces are found after the normalizer only. */
function markSpaces(vocabulary: GgufVocabulary): GgufVocabulary {
  const known = new Set(vocabulary.tokens);
  const marked = (token: string, id: number): string => {
    const run = spaceMark.repeat(token.length);
    return vocabulary.types[id] === tokenType.userDefined && /^ +$/.test(token) && !known.has(run) ? run : token;
  };
  return { ...vocabulary, tokens: vocabulary.tokens.map(marked) };
}

/** Pairs in the order in which they are merged: those of the file, where it has any, else those that its scores make. */
function mergesOf({ tokens, scores, types, merges }: GgufVocabulary, isListed: boolean, file: string): BpePieces["merges"] {
  if (isListed) {
    if (merges === undefined) return refuseKey(file, tokenizerKey("merges"), "is missing, which BPE needs");
    return merges.map(mergedPair);
  }
  if (scores === undefined)
    return refuseKey(file, tokenizerKey("scores"), "is missing, which a vocabulary of SentencePiece needs");
  const refuse = (fault: string, id?: number): never =>
    refuseKey(file, `${tokenizerKey("tokens")}${id === undefined ? "" : `[${id}]`}`, fault);
  return mergesOfScores(scoredPieces({ tokens, scores, types }, refuse), refuse);
}

/** @param isListed whether merges are in the file, not its scores */
const markedBpe =
  (isListed: boolean): TokenizerKind =>
  (read, metadata, file) => {
    const vocabulary = markSpaces(read);
    const { tokens, types } = vocabulary;
    const unk =
      findId(metadata, tokenizerKey("unknown_token_id"), tokens.length, file) ?? findType(vocabulary, tokenType.unknown) ?? 0;
    const hasBytes = tokens.some((_, id) => types[id] === tokenType.byte);
    const prefixed = findFlag(metadata, tokenizerKey("add_space_prefix"), file) ?? true;
    const merges = mergesOf(vocabulary, isListed, file);
    const pieces = { ids: idsOf(vocabulary), merges, unknown: tokens[unk] ?? null, hasBytes };
    return {
      vocabulary,
      ...bpeBody(pieces, { charsmap: undefined, trims: false, prefix: prefixed ? "always" : "never" }),
      addsBos: true,
      addsEos: false,
      ids: isListed ? { unk } : { bos: 1, eos: 2, unk },
    };
  };

/** The kind "llama": BPE of SentencePiece, as Llama 2, Mistral and Gemma have it. */
export const sentencePieceBpe = markedBpe(false);

/** The kind "gemma4": the same with merges in place of scores. */
export const mergedBpe = markedBpe(true);
