/** How alike two languages look to a model. */
export interface LanguagePair {
  readonly first: string;
  readonly second: string;
  /** Cosine of the angle between the two profiles, 0 to 1 since profiles are not negative. */
  readonly cosine: number;
  /** The same angle in degrees, 0 to 90. */
  readonly degrees: number;
  /** Length of the difference, in the unit of the profiles. */
  readonly euclidean: number;
}

interface Moments {
  dot: number;
  first: number;
  second: number;
  difference: number;
}

function compare(first: Float32Array, second: Float32Array): Moments {
  const sums: Moments = { dot: 0, first: 0, second: 0, difference: 0 };
  for (let channel = 0; channel < first.length; channel++) {
    const a = first[channel]!;
    const b = second[channel]!;
    sums.dot += a * b;
    sums.first += a * a;
    sums.second += b * b;
    sums.difference += (a - b) ** 2;
  }
  return sums;
}

/**
 * Compares every pair of languages by their profiles.
 *
 * @param profiles language → mean squared input of each channel, [width]; all of one width
 * @returns each unordered pair once, languages sorted by code, `first` before `second`; no language with itself
 * @see arXiv:2404.04748, the section on language similarity
 */
export function compareLanguages(profiles: ReadonlyMap<string, Float32Array>): LanguagePair[] {
  const sorted = [...profiles].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([first, profile], index) =>
    sorted.slice(index + 1).map(([second, other]) => {
      const sums = compare(profile, other);
      const lengths = Math.sqrt(sums.first * sums.second);
      // An all-zero profile has no direction; its angle to every other is 90 degrees.
      const cosine = lengths === 0 ? 0 : Math.min(1, sums.dot / lengths);
      return { first, second, cosine, degrees: (Math.acos(cosine) * 180) / Math.PI, euclidean: Math.sqrt(sums.difference) };
    }),
  );
}
