import { at, type SiteWeight } from "@mbs/contracts";

/** Mean squares of inputs by language; each has a value a column. */
export type LanguageInputs = ReadonlyMap<string, Float32Array>;

/** Number of leading entries of a rising list that are at most `value`. */
function countAtMost(rising: Float32Array, value: number): number {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The score below which each sparsity drops the weights of a row, as Wanda rounds their number. */
function thresholdsOf(scores: Float32Array, sparsities: readonly number[]): Float32Array {
  const sorted = scores.slice().sort();
  return Float32Array.from(sparsities, (sparsity) => sorted[Math.trunc(sparsity * sorted.length)] ?? Infinity);
}

/**
 * What Wanda's pruning costs a tensor at some sparsities: the squared error of its output as a share of the output, with inputs
 * that do not correlate, Σ w²·E[x²] of what is dropped divided by that of all.
 *
 * @param part whose rows of the weight are looked at
 * @param diagonal E[x²] of the mix, [columns], which decides what is dropped
 * @param sparsities rising, each below 1
 * @returns language → the share at each sparsity; 0 where there is no output
 * @see arXiv:2306.11695 §3
 */
export function pruningErrors(
  { columns, values }: Pick<SiteWeight, "columns" | "values">,
  part: SiteWeight["parts"][number],
  diagonal: Float32Array,
  languages: LanguageInputs,
  sparsities: readonly number[],
): Map<string, number[]> {
  const inputs = [...languages.values()];
  const norms = diagonal.map(Math.sqrt);
  const scores = new Float32Array(columns);
  const places = sparsities.length + 1;
  /** Of each language, what is dropped between one sparsity and the next, and last what all of them keep. */
  const sums = new Float64Array(inputs.length * places);
  for (let row = part.firstRow; row < part.firstRow + part.rows; row += 1) {
    const weights = values.subarray(row * columns, (row + 1) * columns);
    for (let column = 0; column < columns; column += 1) scores[column] = Math.abs(weights[column]!) * norms[column]!;
    const thresholds = thresholdsOf(scores, sparsities);
    for (let column = 0; column < columns; column += 1) {
      // the first sparsity whose threshold is above the score drops it
      const place = countAtMost(thresholds, scores[column]!);
      const square = weights[column]! ** 2;
      for (let language = 0; language < inputs.length; language += 1) {
        sums[language * places + place]! += square * inputs[language]![column]!;
      }
    }
  }
  return new Map(
    [...languages.keys()].map((language, index) => {
      const own = sums.subarray(index * places, (index + 1) * places);
      const total = own.reduce((sum, value) => sum + value, 0);
      let dropped = 0;
      return [
        language,
        sparsities.map((_, place) => {
          dropped += at(own, place);
          return total > 0 ? dropped / total : 0;
        }),
      ];
    }),
  );
}
