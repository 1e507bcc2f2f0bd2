import type { SimilarityRecord } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import {
  formatInterval,
  formatNumber,
  formatPage,
  formatRise,
  formatShare,
  headings,
  matrixTable,
  plotPredictions,
  plotRises,
  plotSimilarity,
  similarityMatrix,
} from "@mbs/reporting";
import type { Section, TextTable } from "@mbs/reporting";
import type { DemoResults, MethodResult, MixResult, Rise } from "./demo-results.ts";
import type { Completion } from "./demo-screen.ts";
import { settingsLines } from "./demo-screen.ts";
import { taskFindings, taskTable } from "./demo-tasks.ts";
import { findings, predictionFinding } from "./findings.ts";

const withSpread = ({ rise, spread: [low, high], excludesZero }: Rise, seeds: number): string =>
  `${formatRise(rise)}${excludesZero ? " *" : ""}${seeds > 1 ? ` (${formatInterval([low, high])})` : ""}`;

/** Rows: languages and the three averages. Columns: mixes first, since a phone shows only a few columns. */
export function methodTable({ plan, languages }: DemoResults, { mixes }: MethodResult): TextTable {
  const seeds = plan.seeds.length;
  const average = (name: string, of: (mix: MixResult) => Rise, note: (mix: MixResult) => string = () => ""): string[] => [
    name,
    ...mixes.map((mix) => `${note(mix)}${withSpread(of(mix), seeds)}`),
    "",
    "",
  ];
  return {
    columns: headings(["language"], [...mixes.map(({ title }) => title), "share", "dense"]),
    rows: [
      ...languages.map(({ language, share, perplexity }, index) => [
        language,
        ...mixes.map((mix) => withSpread(at(mix.languages, index), seeds)),
        formatShare(share),
        formatNumber(perplexity),
      ]),
      average("mean over languages", ({ unweighted }) => unweighted),
      average("weighted by share", ({ weighted }) => weighted),
      average(
        "worst language",
        ({ worst }) => worst,
        ({ worst }) => `${worst.language} `,
      ),
    ],
  };
}

async function methodSections(results: DemoResults, method: MethodResult): Promise<Section[]> {
  const bars = method.mixes.flatMap(({ title, languages }) =>
    languages.map(({ language, rise, interval }) => ({ language, series: title, rise, interval })),
  );
  const points = method.mixes.flatMap(({ title, languages }) =>
    languages.map(({ language, predicted, rise }) => ({ language, series: title, predicted, rise })),
  );
  return [
    {
      id: method.name,
      title: method.title,
      points: findings(results, method),
      plots: [await plotRises(bars, `${method.title}: rise of perplexity by language and calibration mix`)],
      tables: [{ caption: `${method.title}: rises of perplexity`, table: methodTable(results, method), open: true }],
    },
    {
      id: `${method.name}-prediction`,
      title: `${method.title}: does similarity predict the rise?`,
      texts: [predictionFinding(method)],
      plots: await plotPredictions(points, "angle to the mix (degrees)", `${method.title}: predicted against actual rise`),
      tables: [
        {
          caption: `${method.title}: angle and rise`,
          open: false,
          table: {
            columns: headings(["language", "mix"], ["angle", "rise"]),
            rows: points.map(({ language, series, predicted, rise }) => [
              language,
              series,
              predicted.toFixed(1),
              formatRise(rise),
            ]),
          },
        },
      ],
    },
  ];
}

/** The whole demo as one HTML page. */
export async function demoPage(
  results: DemoResults,
  completions: readonly Completion[],
  similarities: readonly SimilarityRecord[],
): Promise<string> {
  const angles = similarityMatrix(similarities, "degrees");
  const sections: Section[] = [];
  for (const method of results.methods) sections.push(...(await methodSections(results, method)));
  return formatPage({
    title: "What each calibration mix does to each language",
    lead: [
      ...settingsLines(results),
      "Rises are of perplexity above the dense model on the same held-out windows; lines in the plots are 95% bootstrap intervals over windows, in the tables a star marks a rise whose interval excludes zero; mixes differ clearly where their intervals do not overlap. " +
        (results.plan.seeds.length > 1
          ? "Values are means over seeds, in brackets the smallest and the largest."
          : "One seed: --full runs three and shows their spread."),
      "A proportional mix is meant for the mean weighted by the training mixture, an equal mix for the unweighted one; read all three averages together.",
    ],
    sections: [
      ...sections,
      {
        id: "tasks",
        title: "Right answers",
        points: taskFindings(results.tasks, at(results.methods, 0).title),
        texts: [
          "Share of right answers to controlled_pairs (datasets/controlled-tasks), and how many points a mix changes; a star: the paired 95% interval over documents excludes zero, with every seed.",
        ],
        tables: [{ caption: `${at(results.methods, 0).title}: right answers`, table: taskTable(results.tasks), open: true }],
      },
      {
        id: "similarity",
        title: "Similarity of languages",
        texts: ["Angle between the mean squared inputs of the first block, channel by channel, before its norm: small is alike."],
        plots: [await plotSimilarity(angles, "heat map of angles between languages")],
        tables: [
          {
            caption: "Angles between languages",
            table: matrixTable(angles, Object.fromEntries(results.languages.map(({ language, share }) => [language, share]))),
            open: false,
          },
        ],
      },
      {
        id: "completions",
        title: "The compressed model goes on",
        texts: [
          `Made with ${at(results.methods, 0).title} and the proportional mix; the model is tiny, so this shows a language, not knowledge.`,
        ],
        points: completions.map(({ language, prompt, continuation }) => `${language}: ${prompt} […] ${continuation.trim()}`),
      },
    ],
  });
}
