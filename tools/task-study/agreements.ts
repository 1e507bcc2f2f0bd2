import { at } from "@mbs/contracts";
import { testCorrelation } from "@mbs/numbers";
import type { TestedCorrelation } from "@mbs/numbers";
import { lessOf, meanOf } from "./figures.ts";
import type { Figure, Stratum } from "./figures.ts";
import { denseAnswers, figuresOf, isKind, kinds, mixes } from "./measured.ts";
import type { DenseAnswers, Kind, Measure, Mix, MixFigures, Setting } from "./measured.ts";

/** One language with every mix. */
export interface LanguageFigures {
  readonly language: string;
  readonly dense: readonly DenseAnswers[];
  /** Flips and answers are of the tasks in which the dense model is above chance; of all where it is in none. */
  readonly mixes: Readonly<Record<Mix, MixFigures>>;
  /** The same of pairs alone: one task for languages that are compared with each other. */
  readonly pairs: Readonly<Record<Mix, MixFigures>>;
}

const ofMixes = <Value>(valueOf: (mix: Mix) => Value): Readonly<Record<Mix, Value>> => ({
  en: valueOf("en"),
  equal: valueOf("equal"),
  proportional: valueOf("proportional"),
});

/** Whether answers in a language say anything: the dense model is above chance in a task. */
const isHeard = ({ dense }: LanguageFigures): boolean => dense.some(({ aboveChance }) => aboveChance);

/** The figures of every language. */
export function languageFigures(setting: Setting): readonly LanguageFigures[] {
  const all = denseAnswers(setting);
  return setting.languages.map((language) => {
    const dense = all.filter((answers) => answers.language === language);
    const above = dense.filter(({ aboveChance }) => aboveChance);
    const heard = (above.length > 0 ? above : dense).map(({ kind }) => kind);
    const ofKinds = (chosen: readonly Kind[]): LanguageFigures["mixes"] =>
      ofMixes((mix) =>
        figuresOf(
          setting,
          mix,
          (stratum) => stratum.language === language && (stratum.task === "" || chosen.some((kind) => isKind(kind)(stratum))),
        ),
      );
    return { language, dense, mixes: ofKinds(heard), pairs: ofKinds(["pairs"]) };
  });
}

/** Rank correlations over languages, of one mix; those with answers are of pairs, and of languages in which dense is above chance there. */
export interface Correlations {
  readonly mix: Mix;
  readonly kl: TestedCorrelation;
  readonly flips: TestedCorrelation;
  readonly lost: TestedCorrelation;
  /** Not of the rise: flips with the dense model's share of right answers. */
  readonly flipsByDense: TestedCorrelation;
  readonly languages: number;
}

const pairsOf = ({ dense }: LanguageFigures): DenseAnswers => {
  const found = dense.find(({ kind }) => kind === "pairs");
  if (found === undefined) throw new Error("a language has no pairs");
  return found;
};

/** Does a language whose perplexity rises more have a larger KL, more flips, fewer right answers? */
export function correlationsOf(languages: readonly LanguageFigures[]): readonly Correlations[] {
  const heard = languages.filter((own) => pairsOf(own).aboveChance);
  return mixes.map((mix) => {
    const valuesOf = (own: readonly LanguageFigures[], valueOf: (figures: MixFigures) => number): number[] =>
      own.map(({ pairs }) => valueOf(pairs[mix]));
    const rises = (own: readonly LanguageFigures[]): number[] => valuesOf(own, ({ rise }) => rise.value);
    const kl = valuesOf(languages, (figures) => figures.kl.value);
    const flips = valuesOf(heard, (figures) => figures.flips.value);
    const lost = valuesOf(heard, ({ difference }) => -difference.value);
    const dense = heard.map((own) => pairsOf(own).right.value);
    return {
      mix,
      kl: testCorrelation("spearman", rises(languages), kl),
      flips: testCorrelation("spearman", rises(heard), flips),
      lost: testCorrelation("spearman", rises(heard), lost),
      flipsByDense: testCorrelation("spearman", dense, flips),
      languages: heard.length,
    };
  });
}

/** In how many languages another measure chooses the same best mix as perplexity does, and in how many two mixes tie for it. */
export interface BestMix {
  readonly measure: string;
  readonly same: number;
  readonly tied: number;
  readonly languages: number;
}

const badness: Readonly<Record<string, (figures: MixFigures) => number>> = {
  KL: ({ kl }) => kl.value,
  flips: ({ flips }) => flips.value,
  "right answers": ({ difference }) => -difference.value,
};

/** The mixes that are best in a language; several where they tie. */
function bestBy(figures: LanguageFigures, by: (mix: MixFigures) => number): readonly Mix[] {
  const least = Math.min(...mixes.map((mix) => by(figures.mixes[mix])));
  return mixes.filter((mix) => by(figures.mixes[mix]) <= least + 1e-12);
}

export function bestMixes(languages: readonly LanguageFigures[]): readonly BestMix[] {
  return Object.entries(badness).map(([measure, valueOf]) => {
    const own = measure === "KL" ? languages : languages.filter(isHeard);
    const found = own.map((figures) => ({
      mix: at(
        bestBy(figures, ({ rise }) => rise.value),
        0,
      ),
      others: bestBy(figures, valueOf),
    }));
    return {
      measure,
      same: found.filter(({ mix, others }) => others.length === 1 && others[0] === mix).length,
      tied: found.filter(({ others }) => others.length > 1).length,
      languages: own.length,
    };
  });
}

/** One mix less another by one measure, in the mean of all languages and in each. */
export interface Separation {
  readonly measure: string;
  readonly first: Mix;
  readonly second: Mix;
  readonly mean: Figure;
  /** Languages whose 95% interval excludes zero. */
  readonly languages: number;
}

const separated: readonly (readonly [string, Measure, Kind?])[] = [
  ["log perplexity", "loss"],
  ["KL", "kl"],
  ["agreement", "agreement"],
  ["continuation", "right", "continuation"],
  ["pairs", "right", "pairs"],
  ["flips", "flips"],
];

const comparedMixes: readonly (readonly [Mix, Mix])[] = [
  ["en", "equal"],
  ["en", "proportional"],
  ["equal", "proportional"],
];

export const excludesZero = ({ interval: [low, high] }: Figure): boolean => low > 0 || high < 0;

/** By which measures the mixes differ: paired differences on the same windows and documents. */
export const separationsOf = ({ strata, languages }: Setting): readonly Separation[] =>
  separated.flatMap(([measure, what, kind]) => {
    const chosen = (mix: Mix): readonly Stratum[] =>
      strata(mix, what).filter((stratum) => kind === undefined || isKind(kind)(stratum));
    return comparedMixes.map(([first, second]) => {
      const differences = lessOf(chosen(first), chosen(second));
      const ofLanguages = languages.map((language) => meanOf(differences.filter((own) => own.language === language)));
      return { measure, first, second, mean: meanOf(differences), languages: ofLanguages.filter(excludesZero).length };
    });
  });

/** The languages of a task in which the dense model is above chance. */
export const aboveChance = (answers: readonly DenseAnswers[]): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    kinds.map((kind) => [kind, answers.filter((own) => own.kind === kind && own.aboveChance).map(({ language }) => language)]),
  );
