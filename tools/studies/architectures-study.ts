import { pearson, spearman } from "../../packages/numbers/src/correlation.ts";
import { mantelTest } from "./mantel.ts";
import type { SquareMatrix } from "./mantel.ts";
import { decimal, pValue } from "./numbers.ts";
import { similarityMatrices } from "./pairs-study.ts";
import { drawPlot } from "./plot.ts";
import { offDiagonal } from "./mantel.ts";
import { equalPool } from "./pool.ts";
import type { Study, StudyContext, StudyResult } from "./study.ts";

interface Matrices {
  readonly subject: string;
  readonly seed: number;
  readonly measures: ReadonlyMap<string, SquareMatrix>;
}

async function runAll({ subjects, seeds, progress }: StudyContext): Promise<Matrices[]> {
  const all: Matrices[] = [];
  for (const subject of subjects) {
    for (const seed of seeds) {
      all.push({ subject: subject.name, seed, measures: await similarityMatrices(await equalPool(subject, seed)) });
      progress(all.length, subjects.length * seeds.length);
    }
  }
  return all;
}

async function summarise(all: readonly Matrices[], { subjects, seeds }: StudyContext): Promise<StudyResult> {
  const names = subjects.map(({ name }) => name);
  const find = (subject: string, seed: number, measure: string): SquareMatrix =>
    all.find((entry) => entry.subject === subject && entry.seed === seed)?.measures.get(measure) ?? [];
  const measures = [...all[0].measures.keys()];
  const combinations = names.flatMap((first, index) => names.slice(index + 1).map((second) => [first, second] as const));
  const between = combinations.flatMap(([first, second]) =>
    measures.map((measure) => {
      const [a, b] = [find(first, seeds[0], measure), find(second, seeds[0], measure)];
      return { first, second, measure, spearman: mantelTest(spearman, a, b), pearson: pearson(offDiagonal(a), offDiagonal(b)) };
    }),
  );
  const within = names.flatMap((name) =>
    measures.map((measure) => ({
      name,
      measure,
      spearman: spearman(offDiagonal(find(name, seeds[0], measure)), offDiagonal(find(name, seeds[1] ?? seeds[0], measure))),
    })),
  );
  return {
    settings: `Matrices of similarity between ${subjects[0].shares.size} languages of one equal pool (32 segments of 256 tokens a language), compared by rank correlation over all pairs; p by Mantel's test (2,000 namings). The same model on another seed's pool shows how much of a difference is chance.`,
    findings: between.map(
      ({ first, second, measure, spearman: { correlation, p } }) =>
        `${first} and ${second}, ${measure}: Spearman ${decimal(correlation)} (p ${pValue(p)}).`,
    ),
    tables: [
      {
        caption: "Between models",
        head: ["models", "measure", "Spearman", "p", "Pearson"],
        rows: between.map(({ first, second, measure, spearman: { correlation, p }, pearson: linear }) => [
          `${first}, ${second}`,
          measure,
          decimal(correlation),
          pValue(p),
          decimal(linear),
        ]),
      },
      {
        caption: `The same model, seeds ${seeds[0]} and ${seeds[1] ?? seeds[0]}`,
        head: ["model", "measure", "Spearman"],
        rows: within.map(({ name, measure, spearman: value }) => [name, measure, decimal(value, 3)]),
      },
    ],
    plots: [
      {
        name: "architectures",
        caption: "Similarity of each pair of languages in two models",
        svg: await drawPlot(
          combinations.flatMap(([first, second]) =>
            measures.flatMap((measure) => {
              const [a, b] = [offDiagonal(find(first, seeds[0], measure)), offDiagonal(find(second, seeds[0], measure))];
              return a.map((x, index) => ({ x, y: b[index], series: `${first}, ${second}`, panel: measure }));
            }),
          ),
          { x: "in the first model", y: "in the second", mark: "point" },
        ),
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
  work: runAll,
  run: async (context) => summarise(await runAll(context), context),
};
