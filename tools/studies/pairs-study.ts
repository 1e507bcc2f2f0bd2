import { at } from "@mbs/contracts";
import { onlyMix } from "./mixes.ts";
import { gradedPairs, pairsTest } from "./graded-pairs.ts";
import { gptq, sparsegpt } from "./methods.ts";
import type { Method } from "./methods.ts";
import { entry, mantelTest, offDiagonal } from "./mantel.ts";
import type { SquareMatrix } from "./mantel.ts";
import { decimal, mean, pValue, percent } from "./numbers.ts";
import { drawPlot } from "./plot.ts";
import { equalPool } from "./pool.ts";
import type { TestedCorrelation } from "@mbs/numbers";
import { similarityMatrices, similarityMeasures } from "./similarity-matrices.ts";
import type { Study, StudyContext, StudyResult, StudyTable } from "./study.ts";
import type { Subject } from "./subject.ts";
import { predictTrial, runTrial } from "./trial.ts";

const studied: readonly Method[] = [sparsegpt(), gptq()];

/** What could predict who suffers. Larger means nearer, but for the predicted damage, which is larger where it hurts. */
const measures = [...similarityMeasures, "predicted damage"] as const;
type Measure = (typeof measures)[number];

interface Pairs {
  readonly subject: Subject;
  readonly method: Method;
  readonly languages: readonly string[];
  /** [calibrated][evaluated], mean over seeds. */
  readonly rises: SquareMatrix;
  readonly predictors: ReadonlyMap<Measure, SquareMatrix>;
}

const meanMatrix = (matrices: readonly SquareMatrix[]): SquareMatrix =>
  at(matrices, 0).map((row, i) => row.map((_, j) => mean(matrices.map((matrix) => entry(matrix, i, j)))));

/** 1 where a larger value should mean more damage. */
const signOf = (measure: Measure): number => (measure === "predicted damage" ? 1 : -1);

/** What is left of a matrix when each evaluated language's own mean is subtracted: only the choice of calibration. */
function withoutColumns(matrix: SquareMatrix): SquareMatrix {
  const means = matrix.map((_, column) => mean(matrix.flatMap((row, index) => (index === column ? [] : [at(row, column)]))));
  return matrix.map((row) => row.map((value, column) => value - at(means, column)));
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
        const matrix = measure === "predicted damage" ? predictedOfSeed : similarities.get(measure);
        if (matrix !== undefined) found.set(measure, [...(found.get(measure) ?? []), matrix]);
      }
    }
    const predictors = new Map([...found].map(([measure, matrices]) => [measure, meanMatrix(matrices)] as const));
    all.push({ subject, method, languages, rises: meanMatrix(rises), predictors });
  }
  return all;
}

type CorrelationTest = (kind: "pearson" | "spearman", first: SquareMatrix, second: SquareMatrix) => TestedCorrelation;

/** Each predictor against the rises: as they are, and without each evaluated language's mean. */
function correlations({ rises, predictors }: Pairs, test: CorrelationTest) {
  return measures.map((measure) => {
    const predictor = predictors.get(measure) ?? [];
    return {
      measure,
      pearson: test("pearson", rises, predictor),
      spearman: test("spearman", rises, predictor),
      within: test("spearman", withoutColumns(rises), withoutColumns(predictor)),
    };
  });
}

function correlationTable(caption: string, tests: ReturnType<typeof correlations>): StudyTable {
  return {
    caption,
    head: ["predictor", "Pearson", "p", "Spearman", "p", "Spearman within languages", "p"],
    rows: tests.map(({ measure, ...correlation }) => [
      measure,
      ...[correlation.pearson, correlation.spearman, correlation.within].flatMap((one) => [decimal(one.value), pValue(one.p)]),
    ]),
  };
}

/** What follows from the numbers of one model and method. */
function testPairs(pairs: Pairs) {
  const chosen = gradedPairs(pairs.predictors.get(measures[0]) ?? []);
  return {
    ...pairs,
    name: `${pairs.subject.name}, ${pairs.method.name}`,
    tests: correlations(pairs, mantelTest),
    chosen,
    chosenTests: correlations(pairs, (kind, a, b) => pairsTest(kind, a, b, chosen)),
  };
}
type TestedPairs = ReturnType<typeof testPairs>;

/** The strongest predictor within languages. */
const bestOf = (tests: TestedPairs["tests"]): TestedPairs["tests"][number] =>
  tests.reduce((top, next) => (signOf(next.measure) * next.within.value > signOf(top.measure) * top.within.value ? next : top));

const withP = ({ value, p }: TestedCorrelation): string => `${decimal(value)} (p ${pValue(p)})`;

function describe({ name, tests, chosenTests }: TestedPairs): string {
  const [best, paper] = [bestOf(tests), at(tests, 0)];
  const few = chosenTests.find(({ measure }) => measure === best.measure) ?? at(chosenTests, 0);
  return (
    `${name}: the best predictor of which calibration language hurts a language more is the ${best.measure}, with a Spearman ` +
    `correlation within languages of ${withP(best.within)}; the paper's measure has ${withP(paper.within)} within languages and ` +
    `${withP(paper.spearman)} over all pairs, where a negative value means that nearer languages lose less, as the paper says. ` +
    `Over the six pairs alone, within languages: ${withP(few.within)} and ${withP(at(chosenTests, 0).within)}.`
  );
}

/** Rises in the chosen pairs, with each method that one model was compressed by. */
function chosenTable(methods: readonly TestedPairs[]): StudyTable {
  const { subject, languages, chosen, predictors } = at(methods, 0);
  const cosine = predictors.get(measures[0]) ?? [];
  const heads = methods.map(({ method }) => [
    `${method.name}: first, calibrated with the second`,
    `${method.name}: second, calibrated with the first`,
  ]);
  return {
    caption: `${subject.name}: rises in the six pairs`,
    head: ["pair", "cosine at the first input", ...heads.flat()],
    rows: chosen.map(([i, j]) => [
      `${languages[i]}, ${languages[j]}`,
      decimal(entry(cosine, i, j), 4),
      ...methods.flatMap(({ rises }) => [percent(entry(rises, j, i)), percent(entry(rises, i, j))]),
    ]),
  };
}

async function summarise(all: readonly Pairs[], context: StudyContext): Promise<StudyResult> {
  const tested = all.map(testPairs);
  const subjects = [...new Set(all.map(({ subject }) => subject))];
  const { length: count } = at(all, 0).languages;
  const points = all.flatMap((pairs) => {
    const raw = offDiagonal(withoutColumns(pairs.rises));
    const predictor = offDiagonal(withoutColumns(pairs.predictors.get("predicted damage") ?? []));
    return raw.map((y, index) => ({ x: at(predictor, index), y, series: pairs.method.name, panel: pairs.subject.name }));
  });
  return {
    settings: `Each of ${count} languages alone is the calibration text (32 segments of 256 tokens), all ${count} are evaluated: ${count * (count - 1)} ordered pairs, means over ${context.seeds.length} seeds, dense propagation. p-values by Mantel's test, which permutes languages (2,000 permutations). "Within languages" takes each evaluated language's mean away first, so that only the choice of calibration language is left.\n\nThe evaluated language itself is never its own calibration. The six pairs have no language in common and are spread evenly over all pairs ordered by the paper's measure; each is one point, the mean of both directions, and its p is exact, over the 720 orders of the six.`,
    findings: tested.map(describe),
    tables: [
      ...tested.map(({ name, tests }) => correlationTable(`${name}: correlation with the rise of perplexity, all pairs`, tests)),
      ...tested.map(({ name, chosenTests }) => correlationTable(`${name}: the same, six pairs alone`, chosenTests)),
      ...subjects.map((one) => chosenTable(tested.filter(({ subject }) => subject === one))),
    ],
    plots: [
      {
        name: "pairs",
        caption:
          "Predicted damage against the rise of perplexity, both without each evaluated language's mean: a point an ordered pair",
        svg: await drawPlot(points, { x: "predicted damage", y: "rise of perplexity", mark: "point", percentY: true }),
      },
    ],
    numbers: tested.map(({ subject, method, languages, rises, predictors, tests, chosen, chosenTests }) => ({
      subject: subject.name,
      method: method.name,
      languages,
      rises,
      predictors: Object.fromEntries(predictors),
      tests,
      chosen,
      chosenTests,
    })),
  };
}

/** Study 2: which predictor predicts who suffers. */
export const pairsStudy: Study = {
  name: "pairs",
  title: "Compressed with one language, evaluated in all",
  question:
    "Does the nearness of two languages predict what calibration with one does to the other, and which measure of it is best?",
  work: runPairs,
  run: async (context) => summarise(await runPairs(context), context),
};
