import { at } from "@mbs/contracts";
import type { SquareMatrix } from "./mantel.ts";
import { compareModels, compareSeeds, pairsOf } from "./model-agreement.ts";
import type { Agreement, Matrices, ModelMatrices } from "./model-agreement.ts";
import { decimal, mean, pValue } from "./numbers.ts";
import type { Spread } from "./numbers.ts";
import { similarityMatrices } from "./similarity-matrices.ts";
import { drawPlot } from "./plot.ts";
import { equalPool } from "./pool.ts";
import type { Study, StudyContext, StudyResult } from "./study.ts";
import { allSubjects } from "./subject.ts";

async function runAll({ subjects, seeds, progress }: StudyContext): Promise<ModelMatrices[]> {
  // models trained for unequal times count shares that differ a little, so each would order the languages its own way
  const languages = [...at(subjects, 0).shares.keys()];
  const all: ModelMatrices[] = [];
  for (const subject of subjects) {
    const ofSeeds: Matrices[] = [];
    for (const seed of seeds) {
      ofSeeds.push(await similarityMatrices(await equalPool(subject, seed), languages));
      progress(seeds.length * all.length + ofSeeds.length, seeds.length * subjects.length);
    }
    all.push({ model: subject.name, architecture: subject.architecture, seeds: ofSeeds });
  }
  return all;
}

/** "Spearman 0.80 (0.70 to 0.90)" over some pairs of models and their seeds. */
function formatRange(agreements: readonly Agreement[]): string {
  const middle = mean(agreements.map(({ spearman }) => spearman.mean));
  const low = Math.min(...agreements.map(({ spearman }) => spearman.low));
  const high = Math.max(...agreements.map(({ spearman }) => spearman.high));
  return `Spearman ${formatSpread({ mean: middle, low, high })}`;
}

/** "0.80 (0.70 to 0.90)" */
const formatSpread = ({ mean: middle, low, high }: Spread, digits = 2): string =>
  `${decimal(middle, digits)} (${decimal(low, digits)} to ${decimal(high, digits)})`;

/** A similarity has no direction, so each pair of languages is one point. */
const aboveDiagonal = (matrix: SquareMatrix): number[] => matrix.flatMap((row, index) => row.slice(index + 1));

/** One measure over all pairs of models. */
function formatFinding(measure: string, agreements: readonly Agreement[], leastWithin: number): string {
  const groups = [
    ["sizes of one architecture", agreements.filter(({ sameArchitecture }) => sameArchitecture)],
    ["two architectures", agreements.filter(({ sameArchitecture }) => !sameArchitecture)],
  ] as const;
  const texts = groups.flatMap(([name, own]) => (own.length === 0 ? [] : [`${name}, ${formatRange(own)}`]));
  const largest = Math.max(...agreements.map(({ p }) => p));
  return `${measure}: ${texts.join("; ")}; largest p ${pValue(largest)}; a model agrees with itself on another pool by at least ${decimal(leastWithin, 3)}.`;
}

async function summarise(all: readonly ModelMatrices[], { subjects, seeds }: StudyContext): Promise<StudyResult> {
  const measures = [...at(at(all, 0).seeds, 0).keys()];
  const between = compareModels(all);
  const within = compareSeeds(all);
  const points = pairsOf(all).flatMap(([first, second]) =>
    measures.flatMap((measure) => {
      const entriesOf = ({ seeds }: ModelMatrices) => aboveDiagonal(at(seeds, 0).get(measure) ?? []);
      const [a, b] = [entriesOf(first), entriesOf(second)];
      return a.map((x, index) => ({ x, y: at(b, index), series: measure, panel: `${first.model}, ${second.model}` }));
    }),
  );
  return {
    settings: `Matrices of similarity between ${at(subjects, 0).shares.size} languages of one equal pool (32 segments of 256 tokens a language), compared by rank correlation over all pairs; ${seeds.length} seeds; p, the largest of the seeds, by Mantel's test (2,000 permutations). The same model on another seed's pool shows how much of a difference is chance. In brackets the smallest and largest value: over seeds, and in the findings also over pairs of models.`,
    findings: measures.map((measure) =>
      formatFinding(
        measure,
        between.filter((agreement) => agreement.measure === measure),
        Math.min(...within.filter((own) => own.measure === measure).map(({ spearman }) => spearman.low)),
      ),
    ),
    tables: [
      {
        caption: "The models",
        head: ["model", "architecture", "layers", "width"],
        rows: subjects.map(({ name, architecture, layers, width }) => [name, architecture, String(layers), String(width)]),
      },
      {
        caption: "Between models",
        head: ["models", "measure", "Spearman", "p", "Pearson"],
        rows: between.map(({ first, second, measure, spearman, p, pearson }) => [
          `${first}, ${second}`,
          measure,
          formatSpread(spearman),
          pValue(p),
          decimal(pearson),
        ]),
      },
      {
        caption: "The same model, each two seeds",
        head: ["model", "measure", "Spearman"],
        rows: within.map(({ model, measure, spearman }) => [model, measure, formatSpread(spearman, 3)]),
      },
    ],
    plots: [
      {
        name: "architectures",
        caption: `Similarity of each pair of languages in two models, seed ${seeds[0]}`,
        svg: await drawPlot(points, { x: "in the first model", y: "in the second", mark: "point" }),
      },
    ],
    numbers: { between, within },
  };
}

/** Study 5: is similarity a property of the languages or of the model. */
export const architecturesStudy: Study = {
  name: "architectures",
  title: "Similarity across sizes and architectures",
  question: "Do models of another architecture and size find the same languages alike?",
  models: allSubjects,
  work: runAll,
  run: async (context) => summarise(await runAll(context), context),
};
