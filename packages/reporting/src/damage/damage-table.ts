import { colours, noteText, wrapLines } from "../terminal/terminal-text.ts";
import { at } from "@mbs/contracts";
import { mean } from "@mbs/numbers";
import type { PredictedLoss } from "./damage-law.ts";
import type { DamageReport, LanguageDamage, SiteDamage } from "./damage-report.ts";
import { formatCorrelation, formatError } from "../numbers.ts";
import { formatTable, headings } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";

const natsCell = (nats: number | undefined): string => (nats === undefined ? "–" : nats.toFixed(3));

/** One row per language: its damage, what it is predicted to lose, and what it lost. */
export function predictedTable({ languages, measured, scored }: DamageReport): TextTable {
  const predicts = measured !== undefined;
  return {
    columns: headings(
      ["language"],
      ["damage", ...(predicts ? ["predicted loss", "95%"] : []), ...(scored === undefined ? [] : ["loss"])],
    ),
    rows: languages.map(({ language, damage, predicted, loss }) => [
      language,
      formatError(damage),
      ...(predicts ? [natsCell(predicted?.loss), intervalCell(predicted)] : []),
      ...(scored === undefined ? [] : [natsCell(loss)]),
    ]),
  };
}

const intervalCell = (predicted: PredictedLoss | undefined): string =>
  predicted === undefined ? "–" : predicted.interval.map((nats) => nats.toFixed(3)).join(" to ");

export const siteName = ({ block, site }: SiteDamage): string => `${block}/${site}`;

/** The site that hurts a language most beyond the mean of all languages. */
export const siteBeyondOthers = ({ sites }: LanguageDamage): SiteDamage =>
  sites.reduce((most, next) => (next.againstOthers > most.againstOthers ? next : most));

function worstSitesRow(predicted: LanguageDamage): string[] {
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

/** The mean of what is predicted, and the worst of it; nothing where nothing is. */
function predictedAverages(languages: readonly LanguageDamage[]): string[] {
  const losses = languages.flatMap(({ language, predicted }) =>
    predicted === undefined ? [] : [{ language, loss: predicted.loss }],
  );
  const [worst] = losses;
  if (worst === undefined) return [];
  const average = mean(losses.map(({ loss }) => loss));
  return [
    `Predicted: ${average.toFixed(3)} nats a token in the mean of ${losses.length} languages, ${worst.loss.toFixed(3)} in the worst, ${worst.language}.`,
  ];
}

/** What scores and a measured model say of damage; nothing without either. */
export function qualityTexts({ scored, measured, languages, spearman, quality }: DamageReport): string[] {
  return [
    ...(scored === undefined || spearman === undefined
      ? []
      : [
          `Over the languages, damage and loss of ${scored} have the rank correlation (Spearman) ${formatCorrelation(spearman)}; its p-value is by 10,000 permutations, two-sided.`,
        ]),
    ...predictedAverages(languages),
    ...(quality === undefined
      ? []
      : [
          `Predictions are off by ${quality.error.toPrecision(2)} nats on average; taking what ${measured ?? ""} lost unchanged, by ${quality.errorOfNoChange.toPrecision(2)}. ${quality.within} of ${quality.languages} languages lie within their interval.`,
        ]),
  ];
}

/** Predicted damage for a terminal. */
export function damageTable(report: DamageReport): string {
  const losses = report.measured === undefined && report.scored === undefined ? "" : ", losses in nats a token";
  const title = colours.bold(`damage of each language's outputs, ${report.tensors} tensors by ${report.solver}${losses}`);
  const texts = [...qualityTexts(report).map((text) => wrapLines(text).join("\n")), ...report.notes.map(noteText)];
  return [
    `${title}\n${formatTable(predictedTable(report))}`,
    `${colours.bold("sites that hurt most")}\n${formatTable(worstSitesTable(report))}`,
    `${texts.join("\n")}\n`,
  ].join("\n");
}
