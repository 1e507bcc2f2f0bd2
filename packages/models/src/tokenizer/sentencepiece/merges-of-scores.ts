import { tokenType } from "./pieces.ts";
import type { Pieces } from "./pieces.ts";

type Merge = readonly [left: string, right: string];

/** Gemma 3's 262,144 pieces have 515,000. */
const mostMerges = 2_000_000;

/** SentencePiece's longest piece has 16 characters by default; Gemma's runs of spaces have 31. */
const longestPiece = 256;

/**
 * SentencePiece gives user-defined tokens the score 0, conversions to GGUF another one, which would rank Gemma's runs of
 * spaces behind all words.
 */
const userDefinedScore = 0;

/** Throws what is wrong with a piece, or with all of them. */
type Refuse = (fault: string, id?: number) => never;

/** The pieces that are found by merging, with the scores of SentencePiece. A piece that is longer than any trainer's is refused. */
export function scoredPieces({ tokens, scores, types }: Pieces, refuse: Refuse): ReadonlyMap<string, number> {
  const normal = [...tokens.keys()].filter((id) => types[id] === tokenType.normal);
  // conversions from a tokenizer.json give one score to all: then the order of training is that of the ids
  const isRanked = normal.some((id) => scores[id] !== scores[normal[0] ?? 0]);
  const pieces = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    const score = isRanked ? scores[id] : -id;
    // of user-defined tokens only runs of spaces are left to merging, the others are found before it
    if (types[id] === tokenType.userDefined && token.length <= longestPiece) pieces.set(token, userDefinedScore);
    if (types[id] !== tokenType.normal || score === undefined) continue;
    if (token.length > longestPiece) refuse(`has ${token.length} characters, where at most ${longestPiece} are read`, id);
    pieces.set(token, score);
  }
  return pieces;
}

/**
 * The merges of a BPE vocabulary of SentencePiece's kind, which keeps scores instead of merges.
 *
 * SentencePiece joins the neighbours whose joined piece has the best score, the leftmost of equal ones. A list of merges says
 * the same when it has every way to make each piece of two others, best piece first; of equal scores, the longer left part
 * first: it is that of the run that began further left. transformers' converters write their tokenizer.json in this order
 * (transformers/tokenization_utils_base.py, generate_merges).
 *
 * @param pieces from `scoredPieces`
 * @param refuse called where they have more merges than any tokenizer
 */
export function mergesOfScores(pieces: ReadonlyMap<string, number>, refuse: Refuse): Merge[] {
  const ways: { readonly merge: Merge; readonly score: number }[] = [];
  for (const [piece, score] of pieces) {
    for (let cut = piece.length - 1; cut > 0; cut--) {
      const left = piece.slice(0, cut);
      if (!pieces.has(left)) continue;
      const right = piece.slice(cut);
      if (pieces.has(right)) ways.push({ merge: [left, right], score });
    }
    if (ways.length > mostMerges) refuse(`can be made of each other in more than ${mostMerges} ways`);
  }
  // the sort is stable: pieces of one score and cut stay in the order of their ids
  ways.sort((a, b) => b.score - a.score || b.merge[0].length - a.merge[0].length || b.merge[1].length - a.merge[1].length);
  return ways.map(({ merge }) => merge);
}
