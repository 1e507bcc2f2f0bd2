import { noteText } from "./note-text.ts";
import { wrapLines } from "./wrap-lines.ts";
import type { TestedCorrelation } from "@mbs/numbers";
import { colours } from "./colours.ts";
import type { ErrorsReport, PredictedLanguage, SiteError } from "./errors-report.ts";
import { formatError, formatRise } from "./numbers.ts";
import { formatTable } from "./table.ts";
import type { TextTable } from "./table.ts";

const riseCell = (rise: number | undefined): string => (rise === undefined ? "–" : formatRise(rise));

/** A row a language: its relative error, and rises where scores were given. */
export function predictedTable({ languages, quality }: ErrorsReport): TextTable {
  return {
    columns: [
      { title: "language" },
      { title: "relative error", numeric: true },
      { title: "Σ over tensors", numeric: true },
      ...(quality
        ? [
            { title: "predicted rise", numeric: true },
            { title: "actual rise", numeric: true },
          ]
        : []),
    ],
    rows: languages.map(({ language, mean, sum, predicted, rise }) => [
      language,
      formatError(mean),
      sum.toPrecision(3),
      ...(quality ? [riseCell(predicted), riseCell(rise)] : []),
    ]),
  };
}

export const placeOf = ({ step, site }: SiteError): string => `${step}/${site}`;

/** The site that hurts a language most beyond the mean of all languages. */
export const siteBeyondOthers = ({ sites }: PredictedLanguage): SiteError =>
  sites.reduce((most, next) => (next.againstOthers > most.againstOthers ? next : most));

function worstSitesRow(predicted: PredictedLanguage): string[] {
  const { language, sites } = predicted;
  const [worst] = sites;
  const beyond = siteBeyondOthers(predicted);
  return [language, placeOf(worst), formatError(worst.relative), placeOf(beyond), `${beyond.againstOthers.toFixed(2)}×`];
}

/** A row a language: the site with the largest error, and the one that hurts it most beyond the mean of all languages. */
export const worstSitesTable = ({ languages }: ErrorsReport): TextTable => ({
  columns: [
    { title: "language" },
    { title: "worst site" },
    { title: "error", numeric: true },
    { title: "highest against the mean" },
    { title: "times", numeric: true },
  ],
  rows: languages.map(worstSitesRow),
});

const correlationText = ({ value, p }: TestedCorrelation): string =>
  Number.isNaN(value) ? "none" : `${value.toFixed(2)} (p = ${p.toPrecision(2)})`;

/** How good the prediction was; nothing without scores. */
export function qualityTexts({ quality }: ErrorsReport): string[] {
  if (!quality) return [];
  const { scored, languages, factor, error, errorOfMean, pearson, spearman } = quality;
  return [
    `Predicted error and actual rise of the loss of ${scored} over ${languages} languages: Pearson ${correlationText(pearson)}, Spearman ${correlationText(spearman)}; p-values by 10,000 permutations, two-sided.`,
    `Factor ${factor.toPrecision(3)} nats; predictions miss by ${error.toPrecision(2)} nats on average, the mean of the other languages by ${errorOfMean.toPrecision(2)}.`,
    ...(error < errorOfMean
      ? []
      : [
          "The prediction did not come true: the mean of the other languages foretells more. Do not tell languages of this model apart by it.",
        ]),
  ];
}

/** Predicted errors for a terminal. */
export function errorsTable(report: ErrorsReport): string {
  const title = colours.bold(`error of each language's outputs, ${report.tensors} tensors by ${report.solver}`);
  const texts = [...qualityTexts(report).map((text) => wrapLines(text).join("\n")), ...report.notes.map(noteText)];
  return [
    `${title}\n${formatTable(predictedTable(report))}`,
    `${colours.bold("sites that hurt most")}\n${formatTable(worstSitesTable(report))}`,
    `${texts.join("\n")}\n`,
  ].join("\n");
}
