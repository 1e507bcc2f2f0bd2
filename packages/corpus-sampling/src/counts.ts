import { UsageError } from "@mbs/contracts";

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);

/** Largest share first, then by name: the order in which ties are settled. */
function ranked(shares: ReadonlyMap<string, number>): readonly (readonly [string, number])[] {
  return [...shares].sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1));
}

/** Largest-remainder rounding of `shares` (any positive scale) to exactly `total`. */
function roundShares(shares: readonly (readonly [string, number])[], total: number): Map<string, number> {
  const sum = sumOf(shares.map(([, share]) => share));
  const quotas = shares.map(([language, share]) => {
    const quota = (share / sum) * total;
    return { language, whole: Math.floor(quota), remainder: quota - Math.floor(quota) };
  });
  const left = total - quotas.reduce((all, { whole }) => all + whole, 0);
  // The sort is stable, so that equal remainders go to the larger share, then by name.
  const favoured = new Set(
    [...quotas]
      .sort((a, b) => b.remainder - a.remainder)
      .slice(0, left)
      .map(({ language }) => language),
  );
  return new Map(quotas.map(({ language, whole }) => [language, whole + (favoured.has(language) ? 1 : 0)]));
}

/**
 * Segments of each language, exactly `total` together: largest-remainder rounding, in which no language gets fewer than
 * `floor`. Languages whose part of the total is below the floor get the floor; the rest is divided among the others.
 *
 * @param shares language → share on any scale, > 0
 * @returns language → count, largest share first
 * @throws {UsageError} where the floor alone needs more than `total`
 */
export function countSegments(shares: ReadonlyMap<string, number>, total: number, floor: number): ReadonlyMap<string, number> {
  const languages = ranked(shares);
  if (floor * languages.length > total) {
    throw new UsageError(
      `${languages.length} languages with at least ${floor} segments each need more than ${total}; raise --segments or pass --floor 0`,
      { option: "--segments", languages: languages.length, floor, segments: total },
    );
  }
  const raised = new Set<string>();
  for (;;) {
    const rest = languages.filter(([language]) => !raised.has(language));
    const remaining = total - floor * raised.size;
    const sum = rest.reduce((all, [, share]) => all + share, 0);
    const low = rest.filter(([, share]) => (share / sum) * remaining < floor);
    if (low.length === 0 || low.length === rest.length) {
      const rounded = roundShares(rest, remaining);
      return new Map(languages.map(([language]) => [language, rounded.get(language) ?? floor]));
    }
    for (const [language] of low) raised.add(language);
  }
}

/** Part of the segments that a floor may move from large languages to small ones without a word. */
const unnoticed = 0.05;

/** How far a floor brings segments from the shares that were asked for. */
export interface FloorShift {
  /** How many languages get the floor and have a smaller share. */
  readonly raised: number;
  /** Their part of the segments, and of the shares. */
  readonly given: number;
  readonly asked: number;
  /** The least number of segments of which the floor moves no more than 5%. */
  readonly enough: number;
}

/**
 * What a floor changes: with few segments it makes any mix nearly equal.
 *
 * @returns undefined where it moves no more than 5% of the segments
 */
export function floorShift(shares: ReadonlyMap<string, number>, total: number, floor: number): FloorShift | undefined {
  const all = sumOf([...shares.values()]);
  const lowOf = (segments: number): readonly number[] =>
    [...shares.values()].map((share) => share / all).filter((share) => share * segments < floor);
  const moved = (segments: number): number => {
    const low = lowOf(segments);
    return (low.length * floor) / segments - sumOf(low);
  };
  if (moved(total) <= unnoticed) return undefined;
  // at the upper end all floors together are 5%
  let [least, enough] = [total, Math.ceil((floor * shares.size) / unnoticed)];
  while (enough - least > 1) {
    const middle = Math.floor((least + enough) / 2);
    if (moved(middle) <= unnoticed) enough = middle;
    else least = middle;
  }
  const low = lowOf(total);
  return { raised: low.length, given: (low.length * floor) / total, asked: sumOf(low), enough };
}
