import { BadDataError } from "@mbs/contracts";

/** SentencePiece's longest piece has 16 characters unless its trainer is told otherwise; Gemma's runs of spaces have 31. */
const longestPiece = 256;

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
 * @throws {BadDataError} when a piece is longer than any trainer's
 */
export function mergesOfScores(pieces: ReadonlyMap<string, number>, file: string): Merge[] {
  const ways: { readonly merge: Merge; readonly score: number }[] = [];
  for (const [piece, score] of pieces) {
    if (piece.length > longestPiece) {
      throw new BadDataError(
        `${file}: the token ${JSON.stringify(piece.slice(0, 40))}… has ${piece.length} characters, where at most ${longestPiece} are read; take the file from its source again`,
        { file },
      );
    }
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
