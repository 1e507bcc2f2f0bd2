import { at, type Option, type OptionValues } from "@mbs/contracts";

/** Which damage is made small. */
export const averageOption = {
  kind: "choice",
  choices: ["weighted", "unweighted", "worst"],
  description: "which damage is made small: each language by its share in the mix, all alike, or that of the worst language",
  default: "weighted",
} as const satisfies Option;

/** The language of damage that was measured with the mix alone. */
export const mixed = "*";

/**
 * What the damage to each language costs in each of the sums that are to be small: one sum, or one a language for the worst.
 *
 * @param weights share of each language in the mix
 * @param damages of the languages, in their order
 */
export function languageCosts(
  average: OptionValues<{ readonly average: typeof averageOption }>["average"],
  languages: readonly string[],
  weights: Readonly<Record<string, number>>,
  damages: readonly number[],
): readonly number[] {
  if (average === "worst") return damages;
  const shareOf = (language: string): number => {
    if (languages.length === 1) return 1;
    return average === "weighted" ? (weights[language] ?? 0) : 1 / languages.length;
  };
  return [damages.reduce((sum, cost, index) => sum + cost * shareOf(at(languages, index)), 0)];
}
