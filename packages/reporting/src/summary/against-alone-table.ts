import { riseText } from "../diagnosis/rises.ts";
import { worstText } from "../diagnosis/rules/mix-worse-than-alone.ts";
import type { MixAgainstAlone } from "../diagnosis/rules/mix-worse-than-alone.ts";
import { headings } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";

/** Few languages by name, many by their number. */
function named(languages: readonly string[]): string {
  if (languages.length === 0) return "none";
  return languages.length <= 4 ? languages.join(", ") : `${languages.length} languages`;
}

/** "sparsegpt sparsity 0.5, equal mix instead of en alone: lose less: 15 languages; lose more: en." */
export const mixSentence = ({ method, mix, alone, winners, losers }: MixAgainstAlone): string =>
  `${method}, ${mix} instead of ${alone} alone: ${named(winners)} clearly ${winners.length === 1 ? "loses" : "lose"} less, ${named(losers)} more.`;

/** What each mix gave and took, in the three figures; the worst languages are above dense. */
export const againstAloneTable = (mixes: readonly MixAgainstAlone[]): TextTable => ({
  columns: [
    ...headings(
      ["mix", "method", "instead of"],
      ["unweighted mean", "weighted by training mixture", "worst language above dense", "before"],
    ),
    ...headings(["lose less", "lose more"], []),
  ],
  rows: mixes.map(({ method, mix, alone, unweighted, weighted, worst, winners, losers }) => [
    mix,
    method,
    `${alone} alone`,
    riseText(unweighted, "–"),
    riseText(weighted, "–"),
    worstText(
      worst.map((pair) => pair.mix),
      "–",
    ),
    worstText(
      worst.map((pair) => pair.alone),
      "–",
    ),
    named(winners),
    named(losers),
  ]),
});
