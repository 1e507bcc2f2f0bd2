import { at } from "@mbs/contracts";
import { formatInterval, formatRise } from "../numbers.ts";
import { aboveZero, overSeeds } from "./finding.ts";
import type { Evidence, Finding, MeasuredRise } from "./finding.ts";

/** The rise above the dense model in the language that rose most, with the interval of this language's rise. */
export interface WorstOf extends MeasuredRise {
  readonly language: string;
}

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
  readonly worst: readonly { readonly mix: WorstOf; readonly alone: WorstOf }[];
  /** Languages that lose more with the mix, by paired intervals. */
  readonly losers: readonly string[];
  /** Languages that lose less with the mix, by paired intervals. */
  readonly winners: readonly string[];
}

const averageEvidence = (what: string, rises: readonly MeasuredRise[]): Evidence[] =>
  rises.length === 0
    ? []
    : [
        {
          what,
          unit: "rise",
          value: overSeeds(rises).rise,
          interval: overSeeds(rises).interval,
          significant: aboveZero(rises),
        },
      ];

const listed = (languages: readonly string[]): string => (languages.length === 0 ? "none" : languages.join(", "));

/**
 * Signature: a mix that is worse than calibration with one language alone (English, mostly). Claimed for the unweighted
 * and the weighted mean where the paired 95% interval lies above zero. The worst languages are reported beside them and claim
 * nothing: each was chosen for its large rise, so that its interval lies too high.
 */
export function mixWorseThanAlone(comparison: MixAgainstAlone): Finding | undefined {
  const { method, mix, alone, models, unweighted, weighted, worst, losers, winners } = comparison;
  const [withMix, withAlone] = [worst.map((pair) => pair.mix), worst.map((pair) => pair.alone)];
  const evidence: Evidence[] = [
    ...averageEvidence(`unweighted mean, against ${alone} alone`, unweighted),
    ...averageEvidence(`mean weighted by the training mixture, against ${alone} alone`, weighted),
    ...(worst.length === 0
      ? []
      : [
          {
            what: `worst language (${at(withMix, 0).language}), above dense`,
            unit: "rise" as const,
            value: overSeeds(withMix).rise,
            interval: overSeeds(withMix).interval,
            significant: false,
          },
          {
            what: `worst language with ${alone} alone (${at(withAlone, 0).language}), above dense`,
            unit: "rise" as const,
            value: overSeeds(withAlone).rise,
            interval: overSeeds(withAlone).interval,
            significant: false,
          },
        ]),
  ];
  const claims = evidence.filter(({ significant }) => significant);
  if (claims.length === 0) return undefined;
  const claimed = [
    aboveZero(unweighted) ? "unweighted mean" : undefined,
    aboveZero(weighted) ? "weighted mean" : undefined,
  ].filter((name) => name !== undefined);
  return {
    signature: "mix-worse-than-one-language",
    title: `${method}: the ${mix} is worse than ${alone} alone, by the ${claimed.join(", the ")}.`,
    texts: [
      `Against ${alone} alone: unweighted mean ${averageText(unweighted)}, mean weighted by the training mixture ${averageText(weighted)}; worst language above dense ${worstText(withMix)}, with ${alone} alone ${worstText(withAlone)}.`,
      `Languages that lose more with the mix than with ${alone} alone: ${listed(losers)}; less: ${listed(winners)}.`,
      "A mix should cost English a little and give the others more. Where it costs more than it gives, it is far from the training mixture, or the text of its languages is too little or of another kind.",
    ],
    models,
    languages: losers,
    evidence,
    remedy: {
      text: "Sample in proportion to the training mixture, with more segments; then compare again.",
      command: "mbs sample --model M --corpus C --mix proportional --segments 256 > segments.arrow",
    },
  };
}

function averageText(rises: readonly MeasuredRise[]): string {
  if (rises.length === 0) return "not known";
  const { rise, interval } = overSeeds(rises);
  return `${formatRise(rise)} (${formatInterval(interval)})`;
}

function worstText(worst: readonly WorstOf[]): string {
  const [first] = worst;
  return first === undefined ? "not known" : `${first.language} ${averageText(worst)}`;
}
