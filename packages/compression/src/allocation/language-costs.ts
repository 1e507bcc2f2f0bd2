import { at, BadDataError, UsageError, type Option, type OptionValues } from "@mbs/contracts";

/** Which damage is made small. */
export const averageOption = {
  kind: "choice",
  choices: ["weighted", "unweighted", "worst"],
  description: "which damage is made small: each language by its share in the mix, all alike, or that of the worst language",
  default: "weighted",
} as const satisfies Option;

/** The language of damage that was measured with the mix alone. */
export const mixed = "*";

type Average = OptionValues<{ readonly average: typeof averageOption }>["average"];

/** Languages that have a share in a mix. */
const usedIn = (weights: Readonly<Record<string, number>>): string[] =>
  Object.entries(weights)
    .flatMap(([language, weight]) => (weight > 0 ? [language] : []))
    .sort();

/**
 * Refuses an average over languages of which the mix alone is known.
 *
 * @param found languages that damage is measured with
 * @param weights share of each language in the mix
 * @param remedy what makes each language known
 * @throws {UsageError} where several were mixed, and they do not count by their shares
 */
export function requireAverage(
  average: Average,
  found: readonly string[],
  weights: Readonly<Record<string, number>>,
  remedy: string,
): void {
  if (average === "weighted" || !found.includes(mixed) || usedIn(weights).length < 2) return;
  throw new UsageError(`allocate: --average ${average} is over languages, and the mix alone is known; ${remedy}`, {
    option: "--average",
  });
}

/**
 * Refuses statistics that lack a language of the mix, whose damage would not count.
 *
 * @param found languages of the statistics at the site
 * @param weights share of each language in the mix there
 * @throws {BadDataError} with both sets
 */
export function requireLanguages(
  { block, site }: { readonly block: string; readonly site: string },
  found: readonly string[],
  weights: Readonly<Record<string, number>>,
): void {
  const used = usedIn(weights);
  if (used.every((language) => found.includes(language))) return;
  const names = [used, found].map((languages) => languages.join(", "));
  throw new BadDataError(
    `${block} ${site}: the factors mix ${names[0] ?? ""}, the statistics are of ${names[1] ?? ""}; give statistics of every language that the factors mix`,
    { block, site },
  );
}

/**
 * What the damage to each language costs in each of the sums that are to be small: one sum, or one a language for the worst.
 *
 * @param weights share of each language in the mix
 * @param damages of the languages, in their order
 */
export function languageCosts(
  average: Average,
  languages: readonly string[],
  weights: Readonly<Record<string, number>>,
  damages: readonly number[],
): readonly number[] {
  if (average === "worst") return damages;
  const shareOf = (language: string): number => {
    if (languages.length === 1) return 1;
    // statistics may be of languages beside those that were mixed
    return average === "weighted" ? (weights[language] ?? 0) : 1 / languages.length;
  };
  return [damages.reduce((sum, cost, index) => sum + cost * shareOf(at(languages, index)), 0)];
}
