import { at, valueAt } from "@mbs/contracts";
import { testCorrelation } from "@mbs/numbers";
import { formatCorrelation, formatRise } from "../../numbers.ts";
import { isSameMix } from "../../scores/compressed-models.ts";
import { correlationEvidence, predictCommand, riseEvidence } from "../finding.ts";
import type { MixGroup } from "../mix-groups.ts";
import { above, overSeeds, riseText } from "../rises.ts";
import type { MeasuredRise } from "../rises.ts";
import { defineRule } from "./rule.ts";

/** Correlations at least as strong come by chance this often at most: the usual 5%. */
const agreementLevel = 0.05;

/** Of different solvers, with the same mix. */
type TwoMethods = readonly [first: MixGroup, second: MixGroup];

const risesOf = ({ rises }: MixGroup, language: string): readonly MeasuredRise[] => valueAt(rises.languages, language);

/** Whether a language loses more than the average with one and less than the average with the other. */
const isApart = (worse: MixGroup, better: MixGroup, language: string): boolean =>
  above(risesOf(worse, language), worse.rises.unweighted) && above(better.rises.unweighted, risesOf(better, language));

/**
 * Two methods with the same mix that disagree on who suffers.
 *
 * Threshold: their rises by language show no agreement in rank (Spearman, permutation test at 5%), and a language loses
 * more than the average with one method and less than the average with the other, both by 95% intervals that do not meet.
 */
export const methodsDisagree = defineRule({
  signature: "methods-disagree",
  looksFor: "methods that disagree",
  cases: ({ mixes }) =>
    mixes.flatMap((first, index) =>
      mixes
        .slice(index + 1)
        .filter((second) => first.solvers.join() !== second.solvers.join() && isSameMix(first.mix, second.mix))
        .map((second): TwoMethods => [first, second]),
    ),
  lacks: () => [],
  test([first, second]: TwoMethods) {
    const languages = [...first.rises.languages.keys()].filter((language) => second.rises.languages.has(language));
    const ranked = (one: MixGroup): number[] => languages.map((language) => overSeeds(risesOf(one, language)).rise);
    const correlation = testCorrelation("spearman", ranked(first), ranked(second));
    const opposed = languages.filter((language) => isApart(first, second, language) || isApart(second, first, language));
    const agree = correlation.value > 0 && correlation.p < agreementLevel;
    return agree || opposed.length === 0 ? undefined : { correlation, opposed, languages: languages.length };
  },
  say(both, { correlation, opposed, languages }) {
    const [first, second] = both;
    const textOf = (language: string): string =>
      `${language} ${both.map((one) => `${riseText(risesOf(one, language))} with ${one.method}`).join(", ")}`;
    const means = both.map(({ method, rises }) => `${formatRise(overSeeds(rises.unweighted).rise)} with ${method}`);
    return {
      title: `${first.method} and ${second.method} disagree on who suffers with the ${first.mixName}.`,
      texts: [
        `Rank correlation of their rises over ${languages} languages: ${formatCorrelation(correlation)}.`,
        `Means: ${means.join(", ")}. Above the one and below the other: ${opposed.map(textOf).join("; ")}.`,
        "Results of one method then do not predict those of the other: choose by the languages that matter to you.",
      ],
      models: both.flatMap(({ models }) => models),
      languages: opposed,
      evidence: [
        ...correlationEvidence("rank correlation of the rises", correlation, false),
        ...opposed.flatMap((language) =>
          both.flatMap((one) => riseEvidence(`${language} with ${one.method}, above dense`, risesOf(one, language), true)),
        ),
      ],
      remedy: {
        text: "See at which sites each method hurts these languages.",
        command: predictCommand(at(second.models, 0)),
      },
    };
  },
});
