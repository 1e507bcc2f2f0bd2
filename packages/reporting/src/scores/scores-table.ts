import { colours, noteText, riseBar, riseBarText, wrapLines } from "../terminal/terminal-text.ts";
import type { ScoresReport } from "@mbs/evaluation";
import { formatAgreement, formatInterval, formatNumber, formatNumberInterval, formatRise } from "../numbers.ts";
import { tasksTable } from "../tasks/tasks-table.ts";
import { formatTable, headings } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";

const barWidth = 8;

/** What a star beside a rise means. */
export const starText = "* the 95% interval excludes zero";
const models = ({ results }: ScoresReport): string[] => [...new Set(results.map(({ model }) => model))];

/** One model, one row per language. A star marks a rise whose paired 95% interval excludes zero. */
export function languagesOf(report: ScoresReport, model: string, bars: boolean): TextTable {
  const pairs = new Map(report.pairs.filter((pair) => pair.model === model).map((pair) => [pair.language, pair]));
  const plain = headings(["language"], ["windows", "perplexity", "bits/byte"]);
  const rising = [{ title: "rise", numeric: true }, { title: "" }, { title: "95% interval", numeric: true }];
  const rows = report.results
    .filter((result) => result.model === model)
    .map(({ language, windows, perplexity, bitsPerByte }) => {
      const row = [language, String(windows), formatNumber(perplexity), bitsPerByte.toFixed(3)];
      if (pairs.size === 0) return row;
      const pair = pairs.get(language);
      if (pair === undefined) return [...row, "", "", "", ...(bars ? [""] : [])];
      const bar = bars ? [riseBar(pair.rise, barWidth)] : [];
      return [...row, formatRise(pair.rise), pair.excludesZero ? "*" : "", formatInterval(pair.interval), ...bar];
    });
  return { columns: pairs.size === 0 ? plain : [...plain, ...rising, ...(bars ? [{ title: "" }] : [])], rows };
}

/** What the columns of `distancesOf` are. */
export const distanceText =
  "KL divergence of the next token's distribution, nats: mean, median and 99th percentile over tokens; same: how often both take the same token for the most likely";

/** One model, one row per language: how far its distributions are from the first model's. */
function distancesOf({ distances }: ScoresReport, model: string): TextTable {
  return {
    columns: headings(["language"], ["KL", "95% interval", "median", "99%", "same"]),
    rows: distances
      .filter((distance) => distance.model === model)
      .map(({ language, kl, klInterval, klMedian, klP99, agreement }) => [
        language,
        formatNumber(kl),
        formatNumberInterval(klInterval),
        formatNumber(klMedian),
        formatNumber(klP99),
        formatAgreement(agreement),
      ]),
  };
}

const averageCell = (value: { perplexity: number; rise?: number } | undefined): string =>
  value === undefined
    ? "–"
    : value.rise === undefined
      ? formatNumber(value.perplexity)
      : `${formatNumber(value.perplexity)} (${formatRise(value.rise)})`;

/** The three averages of every model: they answer different questions and stand together. */
export function averagesOf({ averages }: ScoresReport): TextTable {
  const weighted = averages.some((average) => average.weighted !== undefined);
  return {
    columns: headings(["model"], ["unweighted mean", ...(weighted ? ["training mixture"] : []), "worst language"]),
    rows: averages.map(({ model, unweighted, weighted: byShare, worst, worstRise }) => [
      model,
      averageCell(unweighted),
      ...(weighted ? [averageCell(byShare)] : []),
      worstRise === undefined
        ? `${worst.language} ${formatNumber(worst.perplexity)}`
        : `${worstRise.language} (${formatRise(worstRise.rise)})`,
    ]),
  };
}

/**
 * Scores of any number of models for a terminal of 80 columns: one table per model, the averages at the end.
 *
 * Colours appear on a terminal only.
 */
export function scoresTable(report: ScoresReport): string {
  const [reference] = models(report);
  const blocks = models(report).map((model) => {
    const against = report.pairs.find((pair) => pair.model === model)?.reference;
    const title = against === undefined ? model : `${model}, rise above ${against} (${starText})`;
    const legend = against === undefined ? "" : `${riseBarText}\n`;
    return `${colours.bold(title)}\n${formatTable(languagesOf(report, model, true))}${legend}`;
  });
  const distant = [...new Map(report.distances.map(({ model, reference: from }) => [model, from]))];
  const distances = distant.map(
    ([model, from]) => `${colours.bold(`${model}, distance from ${from}`)}\n${formatTable(distancesOf(report, model))}`,
  );
  if (distances.length > 0) distances.push(`${wrapLines(distanceText, "", "  ").join("\n")}\n`);
  const compared = models(report).length > 1;
  const tasks = tasksTable(report.tasks);
  if (reference === undefined) return tasks;
  const worst = `worst language: of ${reference} the one of the highest perplexity${compared ? `, of the others the one that rose most above ${reference}` : ""}`;
  const averages = [
    colours.bold(`perplexity, three averages${compared ? ` (rise above ${reference})` : ""}`),
    `${formatTable(averagesOf(report))}${wrapLines(worst, "", "  ").join("\n")}\n`,
  ].join("\n");
  return [
    ...blocks,
    ...distances,
    averages,
    ...report.notes.map((note) => `${noteText(note)}\n`),
    ...(tasks === "" ? [] : [tasks]),
  ].join("\n");
}
