import type { SquareMatrix } from "./mantel.ts";
import { compareModels, compareSeeds, pairsOf } from "./model-agreement.ts";
import type { Agreement, ModelMatrices } from "./model-agreement.ts";
import { decimal, pValue, spread } from "./numbers.ts";
import { similarityMatrices } from "./pairs-study.ts";
import { drawPlot } from "./plot.ts";
import { equalPool } from "./pool.ts";
import type { Study, StudyContext, StudyResult } from "./study.ts";
import { allSubjects } from "./subject.ts";

async function runAll({ subjects, seeds: [first, second = first], progress }: StudyContext): Promise<ModelMatrices[]> {
  // models trained for unequal times count shares that differ a little, so each would order the languages its own way
  const languages = [...subjects[0].shares.keys()];
  const all: ModelMatrices[] = [];
  for (const subject of subjects) {
    const measures = await similarityMatrices(await equalPool(subject, first), languages);
    progress(2 * all.length + 1, 2 * subjects.length);
    const again = await similarityMatrices(await equalPool(subject, second), languages);
    all.push({ model: subject.name, architecture: subject.architecture, measures, again });
    progress(2 * all.length, 2 * subjects.length);
  }
  return all;
}

/** "Spearman 0.80 (0.70 to 0.90)" over some pairs of models; brackets where there are several. */
function formatRange(agreements: readonly Agreement[]): string {
  const { mean, low, high } = spread(agreements.map(({ spearman }) => spearman.correlation));
  return `Spearman ${decimal(mean)}${agreements.length > 1 ? ` (${decimal(low)} to ${decimal(high)})` : ""}`;
}

/** A similarity has no direction, so each pair of languages is one point. */
const aboveDiagonal = (matrix: SquareMatrix): number[] => matrix.flatMap((row, index) => row.slice(index + 1));

/** One measure over all pairs of models. */
function formatFinding(measure: string, agreements: readonly Agreement[], leastWithin: number): string {
  const groups = [
    ["sizes of one architecture", agreements.filter(({ sameArchitecture }) => sameArchitecture)],
    ["two architectures", agreements.filter(({ sameArchitecture }) => !sameArchitecture)],
  ] as const;
  const texts = groups.flatMap(([name, own]) => (own.length === 0 ? [] : [`${name}, ${formatRange(own)}`]));
  const largest = Math.max(...agreements.map(({ spearman }) => spearman.p));
  return `${measure}: ${texts.join("; ")}; largest p ${pValue(largest)}; a model agrees with itself on another pool by at least ${decimal(leastWithin, 3)}.`;
}

async function summarise(all: readonly ModelMatrices[], { subjects, seeds }: StudyContext): Promise<StudyResult> {
  const measures = [...all[0].measures.keys()];
  const between = compareModels(all);
  const within = compareSeeds(all);
  const points = pairsOf(all).flatMap(([first, second]) =>
    measures.flatMap((measure) => {
      const [a, b] = [first, second].map((model) => aboveDiagonal(model.measures.get(measure) ?? []));
      return a.map((x, index) => ({ x, y: b[index], series: `${first.model}, ${second.model}`, panel: measure }));
    }),
  );
  return {
    settings: `Matrices of similarity between ${subjects[0].shares.size} languages of one equal pool (32 segments of 256 tokens a language), compared by rank correlation over all pairs; p by Mantel's test (2,000 namings). The same model on another seed's pool shows how much of a difference is chance. In brackets the least and the most over pairs of models.`,
    findings: measures.map((measure) =>
      formatFinding(
        measure,
        between.filter((agreement) => agreement.measure === measure),
        Math.min(...within.filter((own) => own.measure === measure).map(({ spearman }) => spearman)),
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
        rows: between.map(({ first, second, measure, spearman: { correlation, p }, pearson }) => [
          `${first}, ${second}`,
          measure,
          decimal(correlation),
          pValue(p),
          decimal(pearson),
        ]),
      },
      {
        caption: `The same model, seeds ${seeds[0]} and ${seeds[1] ?? seeds[0]}`,
        head: ["model", "measure", "Spearman"],
        rows: within.map(({ model, measure, spearman }) => [model, measure, decimal(spearman, 3)]),
      },
    ],
    plots: [
      {
        name: "architectures",
        caption: "Similarity of each pair of languages in two models",
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
