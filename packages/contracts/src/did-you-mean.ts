/** Edits that make one word of another: letters added, left out or replaced, and neighbours swapped. */
function edits(from: string, to: string): number {
  let [before, last]: [number[], number[]] = [[], Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= from.length; row++) {
    const next = [row];
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      next.push(
        Math.min(
          (last[column] ?? 0) + 1,
          (next[column - 1] ?? 0) + 1,
          (last[column - 1] ?? 0) + (isSame ? 0 : 1),
          isSwapped ? (before[column - 2] ?? 0) + 1 : Infinity,
        ),
      );
    }
    [before, last] = [last, next];
  }
  return last[to.length] ?? 0;
}

/** Fewer letters than these begin or end too many words. */
const leastPart = 3;

/**
 * The word that is nearest to one: the shortest that begins or ends with it, "webgpu" of "gpu"; else where most of it is right, the
 * first of several.
 */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  const isPart = (other: string): boolean => other.startsWith(word) || other.endsWith(word);
  const [whole] = known.filter(isPart).sort((a, b) => a.length - b.length);
  if (whole !== undefined && word.replace(/^-+/, "").length >= leastPart) return whole;
  // as commander does for flags
  const most = Math.min(3, Math.floor(word.length * 0.4));
  const [nearest] = known
    .map((other) => ({ other, count: edits(word, other) }))
    .filter(({ count }) => count <= most)
    .sort((a, b) => a.count - b.count);
  return nearest?.other;
}

/** "did you mean corpus? ", where one of the words that are known is near; else "". */
export function didYouMean(word: string, known: readonly string[]): string {
  const nearest = nearestWord(word, known);
  return nearest === undefined ? "" : `did you mean ${nearest}? `;
}
