import { allSites, collect, inputSite, readSimilarities } from "@mbs/artifacts";
import { onlyMix } from "./mixes.ts";
import { gptq, sparsegpt } from "./methods.ts";
import type { Method } from "./methods.ts";
import { mantelTest, offDiagonal } from "./mantel.ts";
import type { SquareMatrix } from "./mantel.ts";
import { decimal, mean, pValue, percent } from "./numbers.ts";
import { drawPlot } from "./plot.ts";
import { equalPool } from "./pool.ts";
import { pearson, spearman } from "@mbs/numbers";
import type { Study, StudyContext, StudyResult } from "./study.ts";
import type { Subject } from "./subject.ts";
import { predictTrial, runTrial } from "./trial.ts";
import type { Pool } from "./pool.ts";

const studied: readonly Method[] = [sparsegpt(), gptq()];

/** What could foretell who suffers. Larger means nearer, but for the predicted error, which is larger where it hurts. */
const measures = [
  "cosine at the first input",
  "cosine at all sites",
  "normalised trace",
  "shared subspace",
  "predicted error",
] as const;
type Measure = (typeof measures)[number];

interface Pairs {
  readonly subject: Subject;
  readonly method: Method;
  readonly languages: readonly string[];
  /** [calibrated][evaluated], mean over seeds. */
  readonly rises: SquareMatrix;
  readonly predictors: ReadonlyMap<Measure, SquareMatrix>;
}

const isEverywhere = ({ site }: { readonly site: string }): boolean => site === allSites;

/** A similarity of the pool between every two languages, in the order given; by share where absent. */
export async function similarityMatrices(
  { statistics, subject }: Pool,
  languages: readonly string[] = [...subject.shares.keys()],
): Promise<ReadonlyMap<string, SquareMatrix>> {
  const { lab } = subject;
  const { similarity } = await lab.once(
    { name: "similarity", settings: { sites: "all" }, inputs: { statistics: [statistics] } },
    async () => ({
      similarity: await lab.run("similarity", { sites: "all" }, { statistics: [statistics] }),
    }),
  );
  const records = await collect(readSimilarities(await lab.open(similarity)));
  const matrixOf = (measure: string, at: (record: (typeof records)[number]) => boolean): SquareMatrix => {
    const values = new Map<string, number>();
    for (const record of records) {
      if (record.measure !== measure || !at(record)) continue;
      values.set(`${record.first} ${record.second}`, record.value);
      values.set(`${record.second} ${record.first}`, record.value);
    }
    return languages.map((first) =>
      languages.map((second) => (first === second ? NaN : (values.get(`${first} ${second}`) ?? NaN))),
    );
  };
  const firstStep = records[0].step;
  return new Map([
    [measures[0], matrixOf("cosine", ({ step, site }) => step === firstStep && site === inputSite)],
    [measures[1], matrixOf("cosine", isEverywhere)],
    [measures[2], matrixOf("gram", isEverywhere)],
    [measures[3], matrixOf("subspace:16", isEverywhere)],
  ]);
}

const meanMatrix = (matrices: readonly SquareMatrix[]): SquareMatrix =>
  matrices[0].map((row, i) => row.map((_, j) => mean(matrices.map((matrix) => matrix[i][j]))));

/** 1 where a larger value should mean more damage. */
const signOf = (measure: Measure): number => (measure === "predicted error" ? 1 : -1);

/** What is left of a matrix when each evaluated language's own mean is taken away: only the choice of calibration. */
function withoutColumns(matrix: SquareMatrix): SquareMatrix {
  const means = matrix.map((_, column) => mean(matrix.flatMap((row, index) => (index === column ? [] : [row[column]]))));
  return matrix.map((row) => row.map((value, column) => value - means[column]));
}

async function runPairs({ subjects, seeds, progress }: StudyContext): Promise<Pairs[]> {
  const all: Pairs[] = [];
  const work = subjects.flatMap((subject) => studied.map((method) => ({ subject, method })));
  let done = 0;
  for (const { subject, method } of work) {
    const languages = [...subject.shares.keys()];
    const rises: SquareMatrix[] = [];
    const found = new Map<Measure, SquareMatrix[]>();
    for (const seed of seeds) {
      const pool = await equalPool(subject, seed);
      const similarities = await similarityMatrices(pool);
      const risesOfSeed: number[][] = [];
      const predictedOfSeed: number[][] = [];
      for (const calibrated of languages) {
        const trial = await runTrial(pool, method, onlyMix(calibrated));
        risesOfSeed.push(languages.map((language) => trial.rises.get(language) ?? NaN));
        const predicted = await predictTrial(pool, method, onlyMix(calibrated));
        predictedOfSeed.push(languages.map((language) => predicted.get(language) ?? NaN));
        progress((done += 1), work.length * seeds.length * languages.length);
      }
      rises.push(risesOfSeed);
      for (const measure of measures) {
        const matrix = measure === "predicted error" ? predictedOfSeed : similarities.get(measure);
        if (matrix !== undefined) found.set(measure, [...(found.get(measure) ?? []), matrix]);
      }
    }
    const predictors = new Map([...found].map(([measure, matrices]) => [measure, meanMatrix(matrices)] as const));
    all.push({ subject, method, languages, rises: meanMatrix(rises), predictors });
  }
  return all;
}

/** Six pairs of graded similarity: those at equal steps through all pairs ordered by the cosine at the first input. */
function gradedPairs({ languages, predictors }: Pairs): readonly (readonly [number, number])[] {
  const cosine = predictors.get(measures[0]) ?? [];
  const pairs = languages.flatMap((_, i) => languages.flatMap((__, j) => (i < j ? [[i, j] as const] : [])));
  const ordered = pairs.toSorted(([a, b], [c, d]) => cosine[c][d] - cosine[a][b]);
  return Array.from({ length: 6 }, (_, index) => ordered[Math.round((index * (ordered.length - 1)) / 5)]);
}

function correlations({ rises, predictors }: Pairs) {
  return measures.map((measure) => {
    const predictor = predictors.get(measure) ?? [];
    const [raw, own] = [rises, withoutColumns(rises)];
    const centred = withoutColumns(predictor);
    return {
      measure,
      pearson: mantelTest(pearson, raw, predictor),
      spearman: mantelTest(spearman, raw, predictor),
      within: mantelTest(spearman, own, centred),
    };
  });
}

async function summarise(all: readonly Pairs[], context: StudyContext): Promise<StudyResult> {
  const tested = all.map((pairs) => ({ pairs, tests: correlations(pairs) }));
  const name = ({ subject, method }: Pairs): string => `${subject.name}, ${method.name}`;
  const findings = tested.map(({ pairs, tests }) => {
    const best = tests.reduce((top, next) =>
      signOf(next.measure) * next.within.correlation > signOf(top.measure) * top.within.correlation ? next : top,
    );
    const paper = tests[0];
    return (
      `${name(pairs)}: the best predictor of which calibration language hurts a language more is the ${best.measure} ` +
      `(Spearman within languages ${decimal(best.within.correlation)}, p ${pValue(best.within.p)}); the paper's measure has ` +
      `${decimal(paper.within.correlation)} (p ${pValue(paper.within.p)}) within languages and ${decimal(paper.spearman.correlation)} ` +
      `(p ${pValue(paper.spearman.p)}) over all pairs, where a negative value means that nearer languages lose less, as the paper says.`
    );
  });
  const first = all[0];
  const points = all.flatMap((pairs) => {
    const raw = offDiagonal(withoutColumns(pairs.rises));
    const predictor = offDiagonal(withoutColumns(pairs.predictors.get("predicted error") ?? []));
    return raw.map((y, index) => ({ x: predictor[index], y, series: pairs.method.name, panel: pairs.subject.name }));
  });
  return {
    settings: `Each of ${first.languages.length} languages alone is the calibration text (32 segments of 256 tokens), all ${first.languages.length} are evaluated: ${first.languages.length * (first.languages.length - 1)} ordered pairs, means over ${context.seeds.length} seeds, dense propagation. p-values by Mantel's test, which renames languages (2,000 namings). "Within languages" takes each evaluated language's mean away first, so that only the choice of calibration language is left. The evaluated language itself is never its own calibration.`,
    findings,
    tables: [
      ...tested.map(({ pairs, tests }) => ({
        caption: `${name(pairs)}: correlation with the rise of perplexity`,
        head: ["predictor", "Pearson", "p", "Spearman", "p", "Spearman within languages", "p"],
        rows: tests.map(({ measure, pearson: a, spearman: b, within }) => [
          measure,
          decimal(a.correlation),
          pValue(a.p),
          decimal(b.correlation),
          pValue(b.p),
          decimal(within.correlation),
          pValue(within.p),
        ]),
      })),
      ...all
        .filter(({ method }) => method === studied[0])
        .map((pairs) => ({
          caption: `${name(pairs)}: six pairs of graded similarity`,
          head: [
            "pair",
            "cosine at the first input",
            "rise of the first, calibrated with the second",
            "rise of the second, calibrated with the first",
          ],
          rows: gradedPairs(pairs).map(([i, j]) => [
            `${pairs.languages[i]}, ${pairs.languages[j]}`,
            decimal((pairs.predictors.get(measures[0]) ?? [])[i][j], 4),
            percent(pairs.rises[j][i]),
            percent(pairs.rises[i][j]),
          ]),
        })),
    ],
    plots: [
      {
        name: "pairs",
        caption:
          "Predicted error against the rise of perplexity, both without each evaluated language's mean: a point an ordered pair",
        svg: await drawPlot(points, { x: "predicted error", y: "rise of perplexity", mark: "point", percentY: true }),
      },
    ],
    numbers: tested.map(({ pairs, tests }) => ({
      subject: pairs.subject.name,
      method: pairs.method.name,
      languages: pairs.languages,
      rises: pairs.rises,
      predictors: Object.fromEntries(pairs.predictors),
      tests,
    })),
  };
}

/** Study 2: which predictor foretells who suffers. */
export const pairsStudy: Study = {
  name: "pairs",
  title: "Compressed with one language, evaluated in all",
  question:
    "Does the nearness of two languages foretell what calibration with one does to the other, and which measure of it is best?",
  work: runPairs,
  run: async (context) => summarise(await runPairs(context), context),
};
