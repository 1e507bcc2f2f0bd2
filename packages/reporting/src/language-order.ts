import type { NumbersByName } from "@mbs/artifacts";
import type { ScoresReport } from "@mbs/evaluation";
import { groupBy } from "@mbs/contracts";

/** The number of a language; an object's inherited names ("constructor") are none. */
const ownNumber = (numbers: NumbersByName, language: string): number | undefined =>
  Object.hasOwn(numbers, language) ? numbers[language] : undefined;

/** The number of a language; 0 where it has none. */
export const numberOf = (numbers: NumbersByName, language: string): number => ownNumber(numbers, language) ?? 0;

/**
 * Items in the order of every table: by the training share of their language, the largest first. Those without a share
 * follow, as they were.
 *
 * @param shares on any scale; where they are not known, nothing moves
 */
export function byTrainingShare<Item>(
  items: readonly Item[],
  languageOf: (item: Item) => string,
  shares: NumbersByName | undefined,
): readonly Item[] {
  const shareOf = (item: Item): number => ownNumber(shares ?? {}, languageOf(item)) ?? -Infinity;
  // Two that have none differ by NaN.
  return items.toSorted((a, b) => shareOf(b) - shareOf(a) || 0);
}

const ofEachModel = <Item extends { readonly model: string; readonly language: string }>(
  items: readonly Item[],
  shares: NumbersByName | undefined,
): readonly Item[] =>
  [...groupBy(items, ({ model }) => model).values()].flatMap((own) => byTrainingShare(own, ({ language }) => language, shares));

/** Scores with the languages of each model in the order of every table. */
export const reportByTrainingShare = (report: ScoresReport, shares: NumbersByName | undefined): ScoresReport => ({
  ...report,
  results: ofEachModel(report.results, shares),
  pairs: ofEachModel(report.pairs, shares),
  distances: ofEachModel(report.distances, shares),
});
