import type { MixAgainstAlone, WorstOf } from "../diagnosis/mix-signature.ts";
import { overSeeds } from "../diagnosis/finding.ts";
import type { MeasuredRise } from "../diagnosis/finding.ts";
import { formatInterval, formatRise } from "../numbers.ts";
import type { TextTable } from "../terminal/table.ts";

/** Few languages by name, many by their number. */
function named(languages: readonly string[]): string {
  if (languages.length === 0) return "none";
  return languages.length <= 4 ? languages.join(", ") : `${languages.length} languages`;
}

/** "sparsegpt sparsity 0.5, equal mix instead of en alone: lose less: 15 languages; lose more: en." */
export const mixSentence = ({ method, mix, alone, winners, losers }: MixAgainstAlone): string =>
  `${method}, ${mix} instead of ${alone} alone: ${named(winners)} clearly ${winners.length === 1 ? "loses" : "lose"} less, ${named(losers)} more.`;

function meanCell(rises: readonly MeasuredRise[]): string {
  if (rises.length === 0) return "–";
  const { rise, interval } = overSeeds(rises);
  return `${formatRise(rise)} (${formatInterval(interval)})`;
}

function worstCell(worst: readonly WorstOf[]): string {
  const [first] = worst;
  return first === undefined ? "–" : `${first.language} ${meanCell(worst)}`;
}

/** What each mix gave and took, in the three figures; the worst languages are above dense. */
export const againstAloneTable = (mixes: readonly MixAgainstAlone[]): TextTable => ({
  columns: [
    { title: "mix" },
    { title: "method" },
    { title: "instead of" },
    { title: "unweighted mean", numeric: true },
    { title: "weighted by training mixture", numeric: true },
    { title: "worst language above dense", numeric: true },
    { title: "before", numeric: true },
    { title: "lose less" },
    { title: "lose more" },
  ],
  rows: mixes.map(({ method, mix, alone, unweighted, weighted, worst, winners, losers }) => [
    mix,
    method,
    `${alone} alone`,
    meanCell(unweighted),
    meanCell(weighted),
    worstCell(worst.map((pair) => pair.mix)),
    worstCell(worst.map((pair) => pair.alone)),
    named(winners),
    named(losers),
  ]),
});
