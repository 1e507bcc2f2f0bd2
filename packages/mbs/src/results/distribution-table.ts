import type { DistributionEstimate, LossComparison, ShareErrors } from "@mbs/language-distribution";
import { formatCorrelation, formatTable, headings } from "@mbs/reporting";

/** What `mbs distribution --json` prints. */
export interface DistributionFindings {
  /** The content of distribution.json. */
  readonly distribution: object;
  readonly estimate: DistributionEstimate;
  readonly against?: {
    readonly name: string;
    readonly unit: string;
    readonly shares: Readonly<Record<string, number>>;
    readonly errors: ShareErrors;
  };
  /** The estimate, and the shares compared with, against the model's losses. */
  readonly losses?: { readonly estimate: LossComparison | undefined; readonly against?: LossComparison | undefined };
}

/** Three digits, however small: shares of one in ten thousand matter here. */
const percent = (share: number): string => `${Number((100 * share).toPrecision(3))}%`;

/** A difference of two shares, in percentage points. */
const points = (difference: number): string => `${Number((100 * difference).toPrecision(3))} points`;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Known shares, scaled so that the languages in both have the same sum in both. */
function onOneScale(
  estimated: ReadonlyMap<string, number>,
  known: Readonly<Record<string, number>>,
): { shares: ReadonlyMap<string, number>; covered: number } {
  const common = Object.entries(known).flatMap(([language, share]) => {
    const estimate = estimated.get(language);
    return estimate === undefined ? [] : [{ language, share, estimate }];
  });
  const covered = sum(common.map(({ share }) => share));
  const scale = sum(common.map(({ estimate }) => estimate)) / covered;
  return {
    shares: new Map(common.map(({ language, share }) => [language, share * scale])),
    covered: covered / sum(Object.values(known)),
  };
}

/** If a larger part of the merges is not in the texts, the estimate is unreliable. */
const mostMissing = 0.5;

const verdicts = {
  fits: "They go together.",
  contradicts: "They contradict each other: larger shares have higher losses.",
  unclear: "Neither says anything about the other.",
} as const satisfies Record<LossComparison["verdict"], string>;

function lossText(name: string, comparison: LossComparison | undefined): string {
  if (!comparison) return "Too few languages have scores, texts and a share to compare losses with shares; five are needed.";
  const { correlation, verdict, typicalFactor, typicalFactorOfMean, languages } = comparison;
  const doubtful = languages
    .filter((fit) => fit.doubtful)
    .map(({ language, factor }) => `${language} (×${factor.toPrecision(2)})`);
  return [
    `Losses and the shares of ${name}: Spearman ${formatCorrelation(correlation)}. ${verdicts[verdict]} A share predicted from its loss misses by a factor of ${typicalFactor.toPrecision(2)}, without the loss by ${typicalFactorOfMean.toPrecision(2)}.`,
    ...(doubtful.length > 0 ? [`Shares that stand out against the losses: ${doubtful.join(", ")}.`] : []),
  ].join("\n");
}

/** The estimate as text for a terminal. */
export function distributionTable({ estimate, against, losses }: DistributionFindings): string {
  const predicted = new Map(losses?.estimate?.languages.map((fit) => [fit.language, percent(fit.predicted)]));
  const { merges, missing, words, inequalities, unexplained, resamples } = estimate;
  const languages = [...estimate.languages].sort((a, b) => b.share - a.share);
  const { errors } = against ?? {};
  const known = against && onOneScale(new Map(languages.map(({ language, share }) => [language, share])), against.shares);
  return [
    formatTable({
      columns: headings(
        ["language"],
        [
          "share of bytes",
          ...(resamples > 0 ? [`spread of ${resamples} resamples`] : []),
          ...(against ? [`${against.name} (${against.unit})`] : []),
          ...(losses ? ["by its loss"] : []),
          "text used",
        ],
      ),
      rows: languages.map(({ language, share, interval, bytes }) => [
        language,
        percent(share),
        ...(resamples > 0 ? [interval ? interval.map(percent).join(" … ") : "–"] : []),
        ...(known ? [known.shares.has(language) ? percent(known.shares.get(language) ?? NaN) : "–"] : []),
        ...(losses ? [predicted.get(language) ?? "–"] : []),
        `${(bytes / 1e3).toFixed(0)} kB`,
      ]),
    }),
    `From ${merges} merges (${missing} not in the texts), ${words} words, ${inequalities} inequalities; ${percent(unexplained)} of the merges' frequency stays unexplained.`,
    ...(missing > mostMissing * merges
      ? [
          `note: ${percent(missing / merges)} of the merges are not in the texts: they are too little, or lack languages of the tokenizer, and the shares are hardly more than a guess. Give more text (--corpus; --bytes a language), or use fewer merges (--merges).`,
        ]
      : []),
    ...(against && known && known.covered < 0.9995
      ? [`Shares of ${against.name} are those among these languages, which are ${percent(known.covered)} of it.`]
      : []),
    ...(against && errors
      ? [
          `Against ${against.name}: off by ${points(errors.meanAbsolute)} on average, most in ${errors.largest.language} (${points(errors.largest.error)}), by a factor of ${errors.meanFactor.toPrecision(3)} on average; log10 of the mean squared error ${errors.log10MeanSquared.toFixed(2)}.`,
        ]
      : []),
    ...(losses ? [lossText("this estimate", losses.estimate)] : []),
    ...(losses && against ? [lossText(against.name, losses.against)] : []),
    "",
  ].join("\n");
}
