const keyOf = (left: string, right: string): string => `${left} ${right}`;

/**
 * The merges that SentencePiece learnt, out of those that a conversion to tokenizer.json wrote.
 *
 * SentencePiece keeps pieces, not merges: a conversion lists every way to make a piece of two others, one after the other.
 * Learnt was the way that the merges before take the piece apart (arXiv 2407.16607, appendix on redundant merges).
 */
export function learntMerges(merges: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  const ranks = new Map<string, number>();
  const learnt: (readonly [string, string])[] = [];
  for (let start = 0, end = 0; start < merges.length; start = end) {
    const [left, right] = merges[start];
    const piece = left + right;
    for (end = start + 1; end < merges.length && merges[end][0] + merges[end][1] === piece;) end += 1;
    const ways = merges.slice(start, end);
    const parts = ways.length === 1 ? [] : mergeAll(Array.from(piece), (a, b) => ranks.get(keyOf(a, b)));
    const way = ways.find(([a, b]) => parts.length === 2 && a === parts[0] && b === parts[1]) ?? ways[0];
    ranks.set(keyOf(...way), learnt.length);
    learnt.push(way);
  }
  return learnt;
}

/** Merges the pair of the lowest rank, its first place first, until no pair has one. */
function mergeAll(symbols: string[], rankOf: (left: string, right: string) => number | undefined): string[] {
  const parts = [...symbols];
  for (;;) {
    let [best, place] = [Infinity, -1];
    for (let index = 0; index + 1 < parts.length; index += 1) {
      const rank = rankOf(parts[index], parts[index + 1]) ?? Infinity;
      if (rank < best) [best, place] = [rank, index];
    }
    if (place < 0) return parts;
    parts.splice(place, 2, parts[place] + parts[place + 1]);
  }
}
