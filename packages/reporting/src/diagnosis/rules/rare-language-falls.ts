import { at } from "@mbs/contracts";
import type { SiteDamage } from "../../damage/damage-report.ts";
import { siteBeyondOthers, siteName } from "../../damage/damage-table.ts";
import { numberOf } from "../../language-order.ts";
import { formatShare } from "../../numbers.ts";
import { isSameMix } from "../../scores/compressed-models.ts";
import { distanceToMix } from "../../similarity/similarity-matrix.ts";
import { predictCommand, riseEvidence } from "../finding.ts";
import type { Evidence, Remedy } from "../finding.ts";
import type { MixGroup } from "../mix-groups.ts";
import type { Results } from "../results.ts";
import { above, aboveZero, belowZero, riseText } from "../rises.ts";
import type { MeasuredRise } from "../rises.ts";
import { defineRule } from "./rule.ts";

/** A mix with this many times the text of a language shows whether text was lacking. Our choice: less may not show it. */
const moreText = 2;

/** Little text or a large distance: beyond this part of the languages. Our choice: one of the outer third. */
const most = 2 / 3;

/** One language under one method and mix. */
export interface LanguageUnderMix {
  readonly language: string;
  /** Of the whole training mixture, languages that were not scored included, 0 to 1. */
  readonly trainingShare: number;
  /** Of the calibration mix, 0 to 1; 0 where it has no text. */
  readonly mixShare: number;
  /** Above the dense model, one entry per seed. */
  readonly rises: readonly MeasuredRise[];
  /** Tokens of calibration text, where segments or statistics were given. */
  readonly tokens?: number | undefined;
  /** Mean angle in degrees to the calibration mix, itself at 0° (`distanceToMix`), where similarities were given. */
  readonly angle?: number | undefined;
  /** The site whose predicted damage is largest beyond that of other languages, where damage was given of one of the models. */
  readonly site?: SiteDamage | undefined;
  /** The mix of the same method that gives it the most text, if that is enough more; rises are above this mix. */
  readonly withMoreText?:
    | { readonly mix: string; readonly mixShare: number; readonly rises: readonly MeasuredRise[] }
    | undefined;
}

/** A method and mix, with the languages that have a training share. */
export interface LanguagesUnderMix {
  readonly group: MixGroup;
  readonly languages: readonly LanguageUnderMix[];
}

function languagesUnderMix(
  group: MixGroup,
  { scored, mixes, compare, calibrations, damage, angles }: Results,
): LanguagesUnderMix {
  const { shares = {} } = scored;
  const training = Object.values(shares).reduce((sum, share) => sum + share, 0);
  const tokens = calibrations.find((calibration) => isSameMix(calibration, group.mix));
  const predicted = damage.find((one) => group.models.includes(one.scored))?.report;
  const known = [...group.rises.languages].filter(([language]) => Object.hasOwn(shares, language));
  return {
    group,
    languages: known.map(([language, rises]): LanguageUnderMix => {
      const shareIn = ({ mix }: MixGroup): number => numberOf(mix, language);
      const own = predicted?.languages.find((entry) => entry.language === language);
      const [other] = mixes
        .filter(({ methodKey }) => methodKey === group.methodKey && shareIn(group) > 0)
        .filter((mix) => shareIn(mix) >= moreText * shareIn(group))
        .sort((a, b) => shareIn(b) - shareIn(a));
      return {
        language,
        trainingShare: numberOf(shares, language) / training,
        mixShare: shareIn(group),
        rises,
        tokens: tokens && numberOf(tokens, language),
        angle: angles && distanceToMix(angles, language, group.mix),
        site: own && siteBeyondOthers(own),
        withMoreText: other && {
          mix: other.mixName,
          mixShare: shareIn(other),
          rises: compare(other, group).languages.get(language) ?? [],
        },
      };
    }),
  };
}

/** Why a language falls. */
type Cause = "tokens" | "distance" | "both" | "unknown";

/**
 * Why a language falls: too little of its text, or too far from the mix.
 *
 * The best evidence is another mix that gives it twice the text or more: where it then loses less, by the paired
 * interval, text was lacking; where not, it was not. Without one, few tokens and a large angle are what two thirds of the
 * languages exceed or stay below. The two are not independent: with less text of its own a language is farther from the mix.
 */
export function causeOf({ withMoreText, mixShare, angle }: LanguageUnderMix, all: readonly LanguageUnderMix[]): Cause {
  const angles = all.flatMap((other) => other.angle ?? []);
  const far = angle !== undefined && angles.filter((other) => angle > other).length >= most * angles.length;
  const few = withMoreText
    ? belowZero(withMoreText.rises)
    : all.filter((other) => mixShare < other.mixShare).length >= most * all.length;
  // Where more text helped, distance is no longer needed to explain the fall.
  if (few) return far && !withMoreText ? "both" : "tokens";
  return far ? "distance" : "unknown";
}

const causeTexts: Readonly<Record<Cause, string>> = {
  tokens: "too few tokens in the mix",
  distance: "too far from the mix",
  both: "few tokens and far from the mix: these results do not tell the two apart",
  unknown: "neither few tokens nor a large distance explains it",
};

/** Where the distance is not known, nothing is said of it; where more text helped, it is not needed. */
function causeText({ angle, withMoreText }: LanguageUnderMix, cause: Cause): string {
  if (angle !== undefined || (cause === "tokens" && withMoreText)) return causeTexts[cause];
  const tokens = cause === "tokens" ? "few tokens in the mix" : "few tokens do not explain it";
  return `${tokens}, its distance to the mix is not known`;
}

const scoredShare = (languages: readonly LanguageUnderMix[]): number =>
  languages.reduce((sum, { trainingShare }) => sum + trainingShare, 0);

/** The share of the whole training mixture, and the one that is compared with an equal share where it is another. */
function shareText(trainingShare: number, scored: number): string {
  const [whole, ofScored] = [formatShare(trainingShare), formatShare(trainingShare / scored)];
  return `${whole} of the training${whole === ofScored ? "" : ` (${ofScored} of that in the scored languages)`}`;
}

/** @param scored share of the training that the scored languages have together */
function languageText(language: LanguageUnderMix, cause: Cause, scored: number): string {
  const { trainingShare, mixShare, tokens, angle, site, withMoreText } = language;
  const facts = [
    `${shareText(trainingShare, scored)}, ${formatShare(mixShare)} of the calibration${tokens === undefined ? "" : ` (${tokens} tokens)`}`,
    angle === undefined ? undefined : `${angle.toFixed(0)}° from the mix`,
    withMoreText && `with the ${withMoreText.mix} (${formatShare(withMoreText.mixShare)}) ${riseText(withMoreText.rises)}`,
    site && `predicted damage ${site.againstOthers.toFixed(2)}× the mean of all languages at ${siteName(site)}`,
  ].filter((fact) => fact !== undefined);
  return `${language.language} rises ${riseText(language.rises)}: ${causeText(language, cause)}; ${facts.join("; ")}.`;
}

function evidenceOf({ language, rises, mixShare, tokens, angle, withMoreText }: LanguageUnderMix): Evidence[] {
  const plain = (what: string, unit: Evidence["unit"], value: number | undefined): Evidence[] =>
    value === undefined ? [] : [{ what: `${language}, ${what}`, unit, value, significant: false }];
  const { mix, rises: changes = [] } = withMoreText ?? {};
  return [
    ...riseEvidence(`${language}, above dense`, rises, true),
    ...plain("share of the calibration", "share", mixShare),
    ...plain("tokens", "tokens", tokens),
    ...plain("angle to the mix", "degrees", angle),
    ...riseEvidence(`${language} with the ${mix}, against this mix`, changes, belowZero(changes)),
  ];
}

const remedyOf = (causes: readonly Cause[], model: string): Remedy =>
  causes.includes("tokens") || causes.includes("both")
    ? {
        text: "Give the rare languages more text: a mix nearer to equal, more segments, or the shares that mbs mix finds from scores on validation texts, of a model that was calibrated with text of every language.",
        command: `mbs mix --label "${model}" < VALIDATION_SCORES`,
      }
    : {
        text: "See which sites hurt them, and weigh the languages nearest to them more.",
        command: predictCommand(model),
      };

/**
 * Under-represented languages that the mix has text of and that still lose more than the average.
 *
 * Threshold: less than an equal share of the training in the scored languages, our reading of "under-represented"; a 95%
 * interval of the rise that lies above zero, and above that of the unweighted mean.
 */
export const rareLanguageFalls = defineRule({
  signature: "rare-language-falls",
  looksFor: "under-represented languages that still fall",
  cases: (results) => (results.scored.shares ? results.mixes.map((group) => languagesUnderMix(group, results)) : []),
  lacks: ({ scored: { shares }, angles }) => [
    ...(shares ? [] : ["No training shares are known (mbs evaluate --shares): no language is known to be under-represented."]),
    ...(angles ? [] : ["No similarities were given: distance to the mix is not known."]),
  ],
  test({ group, languages }: LanguagesUnderMix) {
    const equalShare = scoredShare(languages) / languages.length;
    const falling = languages.filter(
      ({ trainingShare, mixShare, rises }) =>
        trainingShare < equalShare && mixShare > 0 && aboveZero(rises) && above(rises, group.rises.unweighted),
    );
    return falling.length > 0 ? falling : undefined;
  },
  say({ group: { method, mixName, models, rises }, languages }, falling) {
    const causes = falling.map((language) => causeOf(language, languages));
    const names = falling.map(({ language }) => language);
    const verbs = names.length === 1 ? ["is", "loses"] : ["are", "lose"];
    return {
      title: `${method}, ${mixName}: ${names.join(", ")} ${verbs[0]} under-represented and still ${verbs[1]} more than the average.`,
      texts: [
        `The unweighted mean changes by ${riseText(rises.unweighted)}.`,
        ...falling.map((language, index) => languageText(language, at(causes, index), scoredShare(languages))),
      ],
      models,
      languages: names,
      evidence: [...riseEvidence("unweighted mean, above dense", rises.unweighted, false), ...falling.flatMap(evidenceOf)],
      remedy: remedyOf(causes, at(models, 0)),
    };
  },
});
