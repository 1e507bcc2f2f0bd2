import { colours, noteText, wrapLines } from "../terminal/terminal-text.ts";
import { at } from "@mbs/contracts";
import type { DamageReport, PredictedLanguage, SiteDamage } from "./damage-report.ts";
import { formatCorrelation, formatError, formatRise } from "../numbers.ts";
import { formatTable, headings } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";

const riseCell = (rise: number | undefined): string => (rise === undefined ? "–" : formatRise(rise));

/** One row per language: its damage, and rises where scores were given. */
export function predictedTable({ languages, quality }: DamageReport): TextTable {
  return {
    columns: headings(["language"], ["damage", "Σ over tensors", ...(quality ? ["predicted rise", "actual rise"] : [])]),
    rows: languages.map(({ language, damage, sum, predicted, rise }) => [
      language,
      formatError(damage),
      sum.toPrecision(3),
      ...(quality ? [riseCell(predicted), riseCell(rise)] : []),
    ]),
  };
}

export const siteName = ({ block, site }: SiteDamage): string => `${block}/${site}`;

/** The site that hurts a language most beyond the mean of all languages. */
export const siteBeyondOthers = ({ sites }: PredictedLanguage): SiteDamage =>
  sites.reduce((most, next) => (next.againstOthers > most.againstOthers ? next : most));

function worstSitesRow(predicted: PredictedLanguage): string[] {
  const { language, sites } = predicted;
  const worst = at(sites, 0);
  const beyond = siteBeyondOthers(predicted);
  return [language, siteName(worst), formatError(worst.damage), siteName(beyond), `${beyond.againstOthers.toFixed(2)}×`];
}

/** One row per language: the site with the largest damage, and the one that hurts it most beyond the mean of all languages. */
export const worstSitesTable = ({ languages }: DamageReport): TextTable => ({
  columns: [...headings(["language", "worst site"], ["damage"]), ...headings(["highest against the mean"], ["times"])],
  rows: languages.map(worstSitesRow),
});

/** How good the prediction was; nothing without scores. */
export function qualityTexts({ quality }: DamageReport): string[] {
  if (!quality) return [];
  const { scored, languages, factor, error, errorOfMean, pearson, spearman } = quality;
  return [
    `Predicted damage and actual rise of the loss of ${scored} over ${languages} languages: Pearson ${formatCorrelation(pearson)}, Spearman ${formatCorrelation(spearman)}; p-values by 10,000 permutations, two-sided.`,
    `Factor ${factor.toPrecision(3)} nats; predictions miss by ${error.toPrecision(2)} nats on average, the mean of the other languages by ${errorOfMean.toPrecision(2)}.`,
    ...(error < errorOfMean
      ? []
      : [
          "The prediction was wrong: the mean of the other languages predicts better. Do not use it to compare languages of this model.",
        ]),
  ];
}

/** Predicted damage for a terminal. */
export function damageTable(report: DamageReport): string {
  const title = colours.bold(`damage of each language's outputs, ${report.tensors} tensors by ${report.solver}`);
  const texts = [...qualityTexts(report).map((text) => wrapLines(text).join("\n")), ...report.notes.map(noteText)];
  return [
    `${title}\n${formatTable(predictedTable(report))}`,
    `${colours.bold("sites that hurt most")}\n${formatTable(worstSitesTable(report))}`,
    `${texts.join("\n")}\n`,
  ].join("\n");
}
