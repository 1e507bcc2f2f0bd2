import { bitsAWeight, formatBytes, isSmaller, sizeAgainst } from "@mbs/contracts";
import type { ScoresReport } from "@mbs/evaluation";
import { figureRises, figures, plotAverages } from "./averages-plot.ts";
import type { FigureRise } from "./averages-plot.ts";
import type { CompressedModel } from "./compressed-models.ts";
import { groupBy, valueAt } from "@mbs/contracts";
import { numberOf } from "../language-order.ts";
import { formatAgreement, formatNumber, formatRiseWithin, formatShare, tooFewWindows } from "../numbers.ts";
import type { ScoredArtifact } from "./scored-artifact.ts";
import { comparedModels, mostSeries, plotRises, risesOf } from "./rises-plot.ts";
import { distanceText, languagesOf, starText } from "./scores-table.ts";
import type { DataRow, Section, SectionNames } from "../page/section.ts";
import { onFrontier, plotSizes } from "./size-plot.ts";
import type { SizedRise } from "./size-plot.ts";
import { tasksSections } from "../tasks/tasks-sections.ts";
import { headings } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";

const withInterval = (value: string, [low, high]: readonly [number, number], format: (value: number) => string): string =>
  `${value} (${Number.isNaN(low) ? tooFewWindows : `${format(low)} to ${format(high)}`})`;

/** @param starred whether a mean whose interval excludes zero has a star; the worst language has none, since it was chosen for its rise */
function riseCell(rises: readonly FigureRise[], model: string, figure: string, starred = false): string {
  const found = rises.find((rise) => rise.model === model && rise.figure === figure);
  if (found === undefined) return "–";
  const { rise, low, high, language } = found;
  return `${language === "" ? "" : `${language} `}${formatRiseWithin(rise, [low, high], starred && language === "")}`;
}

/** One row per model: its three figures, each with its 95% interval. */
function averagesTable({ averages }: ScoresReport, rises: readonly FigureRise[]): TextTable {
  const weighted = averages.some((average) => average.weighted !== undefined);
  const shown = figures.filter((figure) => weighted || figure !== figures[1]);
  return {
    columns: headings(
      ["model"],
      [
        ...(rises.length === 0 ? [] : shown.map((figure) => `rise, ${figure}`)),
        ...shown.map((figure) => `perplexity, ${figure}`),
      ],
    ),
    rows: averages.map(({ model, unweighted, weighted: byShare, worst }) => [
      model,
      ...(rises.length === 0 ? [] : shown.map((figure) => riseCell(rises, model, figure))),
      withInterval(formatNumber(unweighted.perplexity), unweighted.interval, formatNumber),
      ...(weighted ? [byShare ? withInterval(formatNumber(byShare.perplexity), byShare.interval, formatNumber) : "–"] : []),
      `${worst.language} ${formatNumber(worst.perplexity)}`,
    ]),
  };
}

function averagesData({ averages }: ScoresReport): DataRow[] {
  return averages.map(({ model, unweighted, weighted, worst, worstRise }) => ({
    model,
    unweightedPerplexity: unweighted.perplexity,
    unweightedLow: unweighted.interval[0],
    unweightedHigh: unweighted.interval[1],
    unweightedRise: unweighted.rise ?? "",
    unweightedRiseLow: unweighted.riseInterval?.[0] ?? "",
    unweightedRiseHigh: unweighted.riseInterval?.[1] ?? "",
    weightedPerplexity: weighted?.perplexity ?? "",
    weightedLow: weighted?.interval[0] ?? "",
    weightedHigh: weighted?.interval[1] ?? "",
    weightedRise: weighted?.rise ?? "",
    weightedRiseLow: weighted?.riseInterval?.[0] ?? "",
    weightedRiseHigh: weighted?.riseInterval?.[1] ?? "",
    worstLanguage: worst.language,
    worstPerplexity: worst.perplexity,
    worstRiseLanguage: worstRise?.language ?? "",
    worstRise: worstRise?.rise ?? "",
    worstRiseLow: worstRise?.interval[0] ?? "",
    worstRiseHigh: worstRise?.interval[1] ?? "",
  }));
}

async function averagesSection({ report, reference }: ScoredArtifact, names: SectionNames): Promise<Section> {
  const rises = figureRises(report.averages);
  return {
    id: names.id("averages"),
    title: names.title("Three averages"),
    texts: [
      "Every language with the same weight, languages by their share of the training mixture, and the worst language: they answer different questions, so read all three.",
      ...report.notes,
    ],
    ...(rises.length === 0 ? {} : { plots: [await plotAverages(rises, reference)] }),
    tables: [{ caption: "Averages with 95% intervals", table: averagesTable(report, rises), open: true }],
    data: averagesData(report),
  };
}

/** Models that are shown in one picture: all, or where they are too many those of one solver, five at most. */
function pictures(report: ScoresReport, compressed: readonly CompressedModel[]): { title: string; models: readonly string[] }[] {
  const models = comparedModels(report);
  if (models.length <= mostSeries) return models.length === 0 ? [] : [{ title: "", models }];
  const solverOf = new Map(compressed.map(({ name, solvers }) => [name, [...new Set(solvers)].join(" and ")]));
  return [...groupBy(models, (model) => solverOf.get(model) ?? "")].flatMap(([solver, own]) =>
    Array.from({ length: Math.ceil(own.length / mostSeries) }, (_, index) => {
      const shown = own.slice(index * mostSeries, (index + 1) * mostSeries);
      const ends = [...new Set([shown[0], shown.at(-1)])].join(" to ");
      const part = own.length > mostSeries ? `, ${ends}` : "";
      return { title: `${solver === "" ? "" : `, ${solver}`}${part}`, models: shown };
    }),
  );
}

function risesTable(
  report: ScoresReport,
  models: readonly string[],
  reference: string,
  shares: Readonly<Record<string, number>> | undefined,
): TextTable {
  const own = report.pairs.filter(({ model }) => models.includes(model));
  const languages = groupBy(own, ({ language }) => language);
  const rises = figureRises(report.averages);
  const perplexities = new Map(
    report.results.filter(({ model }) => model === reference).map(({ language, perplexity }) => [language, perplexity]),
  );
  const total = Object.values(shares ?? {}).reduce((sum, share) => sum + share, 0);
  return {
    // a phone shows the first columns
    columns: headings(["language"], [...models, ...(shares ? ["share"] : []), reference]),
    rows: [
      ...[...languages].map(([language, pairs]) => [
        language,
        ...models.map((model) => {
          const pair = pairs.find((entry) => entry.model === model);
          return pair ? formatRiseWithin(pair.rise, pair.interval, true) : "–";
        }),
        ...(shares ? [Object.hasOwn(shares, language) ? formatShare(numberOf(shares, language) / total) : "–"] : []),
        formatNumber(valueAt(perplexities, language)),
      ]),
      ...figures
        .filter((figure) => languages.size > 1 && rises.some((rise) => rise.figure === figure))
        .map((figure) => [figure, ...models.map((model) => riseCell(rises, model, figure, true)), ...(shares ? ["", ""] : [""])]),
    ],
  };
}

/** A caption that explains the stars of its table, where it has some. */
const captionOf = (text: string, { pairs }: ScoresReport, models: readonly string[]): string =>
  pairs.some(({ model, excludesZero }) => excludesZero && models.includes(model)) ? `${text} (${starText})` : text;

/** Rises by language as bars: models beside each other on one scale, as many as have colours of their own. */
export async function risesSections(
  { report, reference, compressed, shares }: ScoredArtifact,
  names: SectionNames,
): Promise<Section[]> {
  const groups = pictures(report, compressed);
  return Promise.all(
    groups.map(async ({ title, models }, index): Promise<Section> => {
      const whole = `Rise above ${reference} by language${title}`;
      return {
        id: names.id(`rises${index === 0 ? "" : `-${index + 1}`}`),
        title: names.title(whole),
        texts: ["Bars are paired differences of perplexity on the same windows; lines are 95% bootstrap intervals over windows."],
        plots: [await plotRises(risesOf(report, models), whole)],
        tables: [
          {
            caption: captionOf(`${whole}, and perplexity of ${reference}`, report, models),
            table: risesTable(report, models, reference, shares),
            open: true,
          },
        ],
      };
    }),
  );
}

function sizesTable(rises: readonly SizedRise[], models: ScoredArtifact["models"], reference: string): TextTable {
  const source = models.get(reference)?.bytes;
  return {
    columns: [
      ...headings(["model"], ["weight files", `against ${reference}`, "bits a weight", ...figures]),
      { title: "beaten by none" },
    ],
    rows: [...models].map(([model, { bytes, parameters }]) => [
      model,
      formatBytes(bytes),
      source === undefined || model === reference ? "–" : sizeAgainst(bytes, source),
      parameters === undefined ? "–" : bitsAWeight({ bytes, parameters }).toFixed(2),
      ...figures.map((figure) => (model === reference ? "–" : riseCell(rises, model, figure))),
      figures
        .filter((figure) =>
          rises.some((rise) => rise.model === model && rise.figure === figure && onFrontier(rise, rises, source)),
        )
        .join(", "),
    ]),
  };
}

const frontierText =
  "Weight files on disk against the rise of each average. Models with a name are beaten by no other in both size and rise.";
const notSmallerText =
  "The dense format stores pruned and rounded weights as they were, every format stores pruned ones as zeros, and a GGUF or other quantised source may have as few bits as was asked for: fewer bits or a smaller type, or the 16-bit original as the source, make it smaller.";

/** The text in place of a plot, where all compressed models have the same size. */
function oneSizeText(models: readonly string[], bytes: number, reference: string, source: number | undefined): string {
  const subject = models.length === 1 ? `${models[0]} takes up` : `The ${models.length} compressed models take up the same:`;
  if (source === undefined) return `${subject} ${formatBytes(bytes)} on disk.`;
  const text = `${subject} ${formatBytes(bytes)} on disk from the ${formatBytes(source)} of ${reference}, ${sizeAgainst(bytes, source)}.`;
  return isSmaller(bytes, source) ? text : `${text} ${notSmallerText}`;
}

async function sizeSections({ report, reference, models }: ScoredArtifact, names: SectionNames): Promise<Section[]> {
  const rises = figureRises(report.averages).flatMap((rise): SizedRise[] => {
    const bytes = models.get(rise.model)?.bytes;
    return bytes === undefined ? [] : [{ ...rise, bytes }];
  });
  const [first] = rises;
  if (first === undefined) return [];
  const sizes = new Set(rises.map(({ bytes }) => bytes));
  const drawn = sizes.size > 1;
  const sized = [...new Set(rises.map(({ model }) => model))];
  return [
    {
      id: names.id("size"),
      title: names.title("Size against rise"),
      texts: [drawn ? frontierText : oneSizeText(sized, first.bytes, reference, models.get(reference)?.bytes)],
      ...(drawn ? { plots: await plotSizes(rises, reference, models.get(reference)?.bytes) } : {}),
      tables: [{ caption: "Size on disk and rise", table: sizesTable(rises, models, reference), open: !drawn }],
      data: rises.map((rise) => ({ ...rise })),
    },
  ];
}

function languagesSection({ report }: ScoredArtifact, names: SectionNames): Section {
  const pairs = new Map(report.pairs.map((pair) => [JSON.stringify([pair.model, pair.language]), pair]));
  return {
    id: names.id("languages"),
    title: names.title("Every model, by language"),
    ...(report.pairs.some(({ excludesZero }) => excludesZero) ? { texts: [`${starText}.`] } : {}),
    tables: report.averages.map(({ model }) => ({
      caption: model,
      table: languagesOf(report, model, false),
      open: false,
    })),
    data: report.results.map(({ interval: [low, high], ...result }) => {
      const pair = pairs.get(JSON.stringify([result.model, result.language]));
      return {
        ...result,
        low,
        high,
        rise: pair?.rise ?? "",
        riseLow: pair?.interval[0] ?? "",
        riseHigh: pair?.interval[1] ?? "",
        excludesZero: pair?.excludesZero ?? "",
      };
    }),
  };
}

function distancesTable({ distances }: ScoresReport, model: string): TextTable {
  return {
    columns: headings(["language"], ["KL, mean", "KL, median", "KL, 99%", "same token"]),
    rows: distances
      .filter((distance) => distance.model === model)
      .map((distance) => [
        distance.language,
        withInterval(formatNumber(distance.kl), distance.klInterval, formatNumber),
        withInterval(formatNumber(distance.klMedian), distance.klMedianInterval, formatNumber),
        withInterval(formatNumber(distance.klP99), distance.klP99Interval, formatNumber),
        withInterval(formatAgreement(distance.agreement), distance.agreementInterval, formatAgreement),
      ]),
  };
}

function distancesSections({ report }: ScoredArtifact, names: SectionNames): Section[] {
  const [first] = report.distances;
  if (first === undefined) return [];
  return [
    {
      id: names.id("distances"),
      title: names.title(`Distance from ${first.reference} by language`),
      texts: [`${distanceText}. In brackets 95% intervals.`],
      tables: [...new Set(report.distances.map(({ model }) => model))].map((model, index) => ({
        caption: model,
        table: distancesTable(report, model),
        open: index === 0,
      })),
      data: report.distances.map(({ klInterval, klMedianInterval, klP99Interval, agreementInterval, ...distance }) => ({
        ...distance,
        klLow: klInterval[0],
        klHigh: klInterval[1],
        klMedianLow: klMedianInterval[0],
        klMedianHigh: klMedianInterval[1],
        klP99Low: klP99Interval[0],
        klP99High: klP99Interval[1],
        agreementLow: agreementInterval[0],
        agreementHigh: agreementInterval[1],
      })),
    },
  ];
}

/**
 * Averages, distances, tasks, sizes, and every model by language: what follows the rises.
 */
export async function scoresSections(scored: ScoredArtifact, names: SectionNames): Promise<Section[]> {
  const tasks = await tasksSections(scored.report.tasks, scored.reference, names);
  if (scored.report.results.length === 0) return tasks;
  return [
    await averagesSection(scored, names),
    ...distancesSections(scored, names),
    ...tasks,
    ...(await sizeSections(scored, names)),
    languagesSection(scored, names),
  ];
}
