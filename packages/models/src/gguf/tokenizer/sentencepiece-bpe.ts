import { spaceMark } from "../../tokenizer/token-bytes.ts";
import { findType, idsOf, replacing } from "./tokenizer-kind.ts";
import type { TokenizerKind } from "./tokenizer-kind.ts";
import { findFlag, findId, refuseKey, tokenizerKey, tokenType } from "./tokenizer-metadata.ts";
import type { GgufVocabulary } from "./tokenizer-metadata.ts";

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

/** SentencePiece's longest piece has 16 characters by default; Gemma's runs of spaces have 31. */
const longestPiece = 256;

/**
 * The pieces that are found by merging, with the scores of SentencePiece.
 *
 * @throws {BadDataError} when a piece is longer than any trainer's
 */
function scoredPieces({ tokens, types }: GgufVocabulary, scores: ArrayLike<number>, file: string): ReadonlyMap<string, number> {
  const normal = [...tokens.keys()].filter((id) => types[id] === tokenType.normal);
  // conversions from a tokenizer.json give one score to all: then the order of training is that of the ids
  const isRanked = normal.some((id) => scores[id] !== scores[normal[0] ?? 0]);
  const pieces = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    const score = isRanked ? scores[id] : -id;
    // of user-defined tokens only runs of spaces are left to merging, the others are found before it
    if (types[id] === tokenType.userDefined && token.length <= longestPiece) pieces.set(token, userDefinedScore);
    if (types[id] !== tokenType.normal || score === undefined) continue;
    if (token.length > longestPiece)
      refuseKey(
        file,
        `${tokenizerKey("tokens")}[${id}]`,
        `has ${token.length} characters, where at most ${longestPiece} are read`,
      );
    pieces.set(token, score);
  }
  return pieces;
}

type Merge = readonly [left: string, right: string];

/**
 * The merges of a BPE vocabulary of SentencePiece's kind, which keeps scores instead of merges.
 *
 * SentencePiece joins the neighbours whose joined piece has the best score, the leftmost of equal ones. A list of merges says
 * the same when it has every way to make each piece of two others, best piece first; of equal scores, the longer left part
 * first: it is that of the run that began further left. transformers' converters write their tokenizer.json in this order
 * (transformers/tokenization_utils_base.py, generate_merges).
 *
 * @param pieces with their scores, in the order of their ids
 */
export function mergesOfScores(pieces: ReadonlyMap<string, number>): Merge[] {
  const ways: { readonly merge: Merge; readonly score: number }[] = [];
  for (const [piece, score] of pieces) {
    for (let cut = piece.length - 1; cut > 0; cut--) {
      const left = piece.slice(0, cut);
      const right = piece.slice(cut);
      if (pieces.has(left) && pieces.has(right)) ways.push({ merge: [left, right], score });
    }
  }
  // the sort is stable: pieces of one score and cut stay in the order of their ids
  ways.sort((a, b) => b.score - a.score || b.merge[0].length - a.merge[0].length || b.merge[1].length - a.merge[1].length);
  return ways.map(({ merge }) => merge);
}

/** The kind "llama": BPE of SentencePiece, as Llama 2, Mistral and Gemma have it. */
export const sentencePieceBpe: TokenizerKind = (read, metadata, file) => {
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
      merges: mergesOfScores(scoredPieces(vocabulary, scores, file)),
    },
    addsBos: true,
    addsEos: false,
    ids: { bos: 1, eos: 2, unk },
  };
};
