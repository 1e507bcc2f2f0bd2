import { at } from "@mbs/contracts";
import { formatInterval, formatRise, formatShare } from "../numbers.ts";
import { belowZero, overSeeds, predictCommand } from "./finding.ts";
import type { Evidence, Finding, MeasuredRise, Remedy } from "./finding.ts";

/** One language under one method and mix. Lists have one entry per seed. */
export interface LanguageUnderMix {
  readonly language: string;
  /** Of the whole training mixture, languages that were not scored included, 0 to 1. */
  readonly trainingShare: number;
  /** Of the calibration mix, 0 to 1; 0 where it has no text. */
  readonly mixShare: number;
  /** Above the dense model. */
  readonly rises: readonly MeasuredRise[];
  /** Tokens of calibration text, where segments or statistics were given. */
  readonly tokens?: number;
  /** Mean angle in degrees to the calibration mix, itself at 0° (`distanceToMix`), where similarities were given. */
  readonly angle?: number;
  /** The site whose predicted damage is largest beyond that of other languages, where damage was given of one of the models. */
  readonly site?: { readonly name: string; readonly againstOthers: number };
  /** The mix of the same method that gives the language the most text, twice as much as this one at least. */
  readonly withMoreText?: {
    readonly mix: string;
    readonly mixShare: number;
    /** Above this mix, not above dense. */
    readonly differences: readonly MeasuredRise[];
  };
}

/** All languages under one method and mix. */
export interface LanguagesUnderMix {
  readonly method: string;
  readonly mix: string;
  readonly models: readonly string[];
  readonly unweighted: readonly MeasuredRise[];
  /** Those that have a training share. */
  readonly languages: readonly LanguageUnderMix[];
}

/** Why a language falls. */
export type Cause = "tokens" | "distance" | "both" | "unknown";

/** Whether a value is beyond those of two thirds of the languages. */
const beyondMost = (value: number, all: readonly number[], beyond: (own: number, other: number) => boolean): boolean =>
  all.filter((other) => beyond(value, other)).length >= (2 / 3) * all.length;

/**
 * Why a language falls: too little of its text, or too far from the mix.
 *
 * The best evidence is another mix that gives it twice the text or more: where it then loses less, by the paired
 * interval, text was lacking; where not, it was not. Without one, few tokens and a large angle are what two thirds of the
 * languages exceed or stay below. The two are not independent: with less text of its own a language is farther from the mix.
 */
export function causeOf(language: LanguageUnderMix, all: readonly LanguageUnderMix[]): Cause {
  const { withMoreText, mixShare, angle } = language;
  const angles = all.flatMap((other) => other.angle ?? []);
  const far = angle !== undefined && beyondMost(angle, angles, (own, other) => own > other);
  const few = withMoreText
    ? belowZero(withMoreText.differences)
    : beyondMost(
        mixShare,
        all.map((other) => other.mixShare),
        (own, other) => own < other,
      );
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

/** The share of the whole training mixture, and the one that is compared with an equal share where it is another. */
function shareText(trainingShare: number, scored: number): string {
  const [whole, ofScored] = [formatShare(trainingShare), formatShare(trainingShare / scored)];
  return `${whole} of the training${whole === ofScored ? "" : ` (${ofScored} of that in the scored languages)`}`;
}

/** @param scored share of the training that the scored languages have together */
function languageText(language: LanguageUnderMix, cause: Cause, scored: number): string {
  const { rise, interval } = overSeeds(language.rises);
  const { trainingShare, mixShare, tokens, angle, site, withMoreText } = language;
  const more = withMoreText && overSeeds(withMoreText.differences);
  const facts = [
    `${shareText(trainingShare, scored)}, ${formatShare(mixShare)} of the calibration${tokens === undefined ? "" : ` (${tokens} tokens)`}`,
    ...(angle === undefined ? [] : [`${angle.toFixed(0)}° from the mix`]),
    ...(withMoreText && more
      ? [
          `with the ${withMoreText.mix} (${formatShare(withMoreText.mixShare)}) ${formatRise(more.rise)} (${formatInterval(more.interval)})`,
        ]
      : []),
    ...(site === undefined
      ? []
      : [`predicted damage ${site.againstOthers.toFixed(2)}× the mean of all languages at ${site.name}`]),
  ];
  return `${language.language} rises ${formatRise(rise)} (${formatInterval(interval)}): ${causeText(language, cause)}; ${facts.join("; ")}.`;
}

function evidenceOf({ language, rises, mixShare, tokens, angle, withMoreText }: LanguageUnderMix): Evidence[] {
  const { rise, interval } = overSeeds(rises);
  const more = withMoreText && overSeeds(withMoreText.differences);
  return [
    { what: `${language}, above dense`, unit: "rise", value: rise, interval, significant: true },
    { what: `${language}, share of the calibration`, unit: "share", value: mixShare, significant: false },
    ...(tokens === undefined
      ? []
      : [{ what: `${language}, tokens`, unit: "tokens" as const, value: tokens, significant: false }]),
    ...(angle === undefined
      ? []
      : [{ what: `${language}, angle to the mix`, unit: "degrees" as const, value: angle, significant: false }]),
    ...(withMoreText && more
      ? [
          {
            what: `${language} with the ${withMoreText.mix}, against this mix`,
            unit: "rise" as const,
            value: more.rise,
            interval: more.interval,
            significant: belowZero(withMoreText.differences),
          },
        ]
      : []),
  ];
}

function remedyOf(causes: readonly Cause[], method: string, model: string): Remedy {
  if (causes.some((cause) => cause === "tokens" || cause === "both"))
    return {
      text: "Give the rare languages more text: a mix nearer to equal, more segments, or the weights that mbs mix finds for the worst language (statistics of a sample of --mix equal).",
      command: `mbs mix --model M --solver ${method.split(" ", 1)[0]} < statistics.arrow`,
    };
  return {
    text: "See which sites hurt them, and weigh the languages nearest to them more.",
    command: predictCommand(model),
  };
}

/**
 * Signature: languages with less than an equal share of the training in the scored languages that the mix has text of and
 * that still lose more than the average. Claimed where the whole 95% interval of the rise lies above that of the unweighted mean, with every
 * seed.
 */
export function rareLanguagesFall({ method, mix, models, unweighted, languages }: LanguagesUnderMix): Finding | undefined {
  const scored = languages.reduce((sum, { trainingShare }) => sum + trainingShare, 0);
  const equalShare = scored / languages.length;
  const falling = languages.filter(
    ({ trainingShare, mixShare, rises }) =>
      trainingShare < equalShare &&
      mixShare > 0 &&
      rises.length > 0 &&
      rises.every(({ interval: [low] }, seed) => low > 0 && low > at(unweighted, seed).interval[1]),
  );
  if (falling.length === 0) return undefined;
  const explained = falling.map((language) => ({ language, cause: causeOf(language, languages) }));
  const mean = overSeeds(unweighted);
  return {
    signature: "rare-language-falls",
    title: `${method}, ${mix}: ${falling.map(({ language }) => language).join(", ")} ${falling.length === 1 ? "is" : "are"} under-represented and still ${falling.length === 1 ? "loses" : "lose"} more than the average.`,
    texts: [
      `The unweighted mean changes by ${formatRise(mean.rise)} (${formatInterval(mean.interval)}).`,
      ...explained.map(({ language, cause }) => languageText(language, cause, scored)),
    ],
    models,
    languages: falling.map(({ language }) => language),
    evidence: [
      { what: "unweighted mean, above dense", unit: "rise", value: mean.rise, interval: mean.interval, significant: false },
      ...falling.flatMap(evidenceOf),
    ],
    remedy: remedyOf(
      explained.map(({ cause }) => cause),
      method,
      at(models, 0),
    ),
  };
}
