import type { WorstRise } from "@mbs/evaluation";
import { numberOf } from "../../language-order.ts";
import { riseEvidence } from "../finding.ts";
import { aloneLanguage, pairSeeds } from "../mix-groups.ts";
import type { Results } from "../results.ts";
import { aboveZero, belowZero, riseText } from "../rises.ts";
import type { MeasuredRise } from "../rises.ts";
import { defineRule } from "./rule.ts";

/** One mix against calibration with one language alone, by the same method. Lists have one entry per pair of seeds. */
export interface MixAgainstAlone {
  /** "sparsegpt sparsity 0.5" */
  readonly method: string;
  /** "proportional mix" */
  readonly mix: string;
  /** The language that the other models were calibrated with. */
  readonly alone: string;
  readonly models: readonly string[];
  /** Rise of the mix's models above the others', not above the dense one. */
  readonly unweighted: readonly MeasuredRise[];
  /** Empty where no training shares are known. */
  readonly weighted: readonly MeasuredRise[];
  /** Above the dense model, with the mix and with one language. */
  readonly worst: readonly { readonly mix: WorstRise; readonly alone: WorstRise }[];
  /** Languages that lose more with the mix, by paired intervals. */
  readonly losers: readonly string[];
  /** Languages that lose less with the mix, by paired intervals. */
  readonly winners: readonly string[];
}

/** Each mix against one language alone: English where its method was given that, else that of the largest training share. */
export function mixesAgainstAlone({ groups, mixes, compare, scored: { shares = {} } }: Results): readonly MixAgainstAlone[] {
  const weight = (language: string): number => (language === "en" ? Infinity : numberOf(shares, language));
  const alone = groups
    .flatMap((group) => {
      const language = aloneLanguage(group);
      return language === undefined ? [] : [{ group, language }];
    })
    .sort((a, b) => weight(b.language) - weight(a.language));
  return mixes.flatMap((mix): MixAgainstAlone[] => {
    const other = alone.find(({ group }) => group.methodKey === mix.methodKey);
    if (other === undefined) return [];
    const { unweighted, weighted, languages } = compare(mix, other.group);
    const those = (side: (rises: readonly MeasuredRise[]) => boolean): string[] =>
      [...languages].filter(([, rises]) => side(rises)).map(([language]) => language);
    return [
      {
        method: mix.method,
        mix: mix.mixName,
        alone: other.language,
        models: [...mix.models, ...other.group.models],
        unweighted,
        weighted,
        worst: pairSeeds(mix.rises.worst, other.group.rises.worst).map(([own, others]) => ({ mix: own, alone: others })),
        losers: those(aboveZero),
        winners: those(belowZero),
      },
    ];
  });
}

/** "te +50.0% (+45.0 … +55.0%)": the language of the first seed, and the rise over seeds. */
export const worstText = (worst: readonly WorstRise[], missing?: string): string =>
  `${worst[0] === undefined ? "" : `${worst[0].language} `}${riseText(worst, missing)}`;

const listed = (languages: readonly string[]): string => (languages.length === 0 ? "none" : languages.join(", "));

/**
 * A mix that is worse than calibration with one language alone (English, mostly).
 *
 * Threshold: the paired interval of the unweighted or the weighted mean lies above zero. It is a 95% interval, as all of
 * `mbs evaluate`. The worst languages are reported beside them and claim nothing: each was chosen for its large rise, so
 * that its interval lies too high.
 */
export const mixWorseThanAlone = defineRule({
  signature: "mix-worse-than-one-language",
  looksFor: "a mix worse than one language alone",
  cases: mixesAgainstAlone,
  lacks: ({ scored: { compressed } }) =>
    compressed.some((model) => aloneLanguage(model) !== undefined)
      ? []
      : ["No model was calibrated with one language alone (mbs sample --mix only:en): mixes are compared with none."],
  test({ unweighted, weighted }: MixAgainstAlone) {
    const worse = { "unweighted mean": unweighted, "weighted mean": weighted };
    const claimed = Object.entries(worse).filter(([, rises]) => aboveZero(rises));
    return claimed.length > 0 ? claimed.map(([name]) => name) : undefined;
  },
  say({ method, mix, alone, models, unweighted, weighted, worst, losers, winners }, claimed) {
    const [withMix, withAlone] = [worst.map((pair) => pair.mix), worst.map((pair) => pair.alone)];
    return {
      title: `${method}: the ${mix} is worse than ${alone} alone, by the ${claimed.join(", the ")}.`,
      texts: [
        `Against ${alone} alone: unweighted mean ${riseText(unweighted)}, mean weighted by the training mixture ${riseText(weighted)}; rise of the worst language ${worstText(withMix)}, with ${alone} alone ${worstText(withAlone)}.`,
        `Languages that lose more with the mix than with ${alone} alone: ${listed(losers)}; less: ${listed(winners)}.`,
        "A mix should cost English a little and give the others more. Where it costs more than it gives, it is far from the training mixture, or the text of its languages is too little or of another kind.",
      ],
      models,
      languages: losers,
      evidence: [
        ...riseEvidence(`unweighted mean, against ${alone} alone`, unweighted, aboveZero(unweighted)),
        ...riseEvidence(`mean weighted by the training mixture, against ${alone} alone`, weighted, aboveZero(weighted)),
        ...riseEvidence(`worst language (${withMix[0]?.language}), above dense`, withMix, false),
        ...riseEvidence(`worst language with ${alone} alone (${withAlone[0]?.language}), above dense`, withAlone, false),
      ],
      remedy: {
        text: "Sample in proportion to the training mixture, with more segments; then compare again.",
        command: "mbs sample --model M --corpus C --mix proportional --segments 256 > segments.arrow",
      },
    };
  },
});
