import { readFile } from "node:fs/promises";
import { at } from "@mbs/contracts";
import { testCorrelation } from "@mbs/numbers";
import { fitLine } from "./line-fit.ts";
import { gptq, sparsegpt, wanda } from "./methods.ts";
import { fixedMixes } from "./mixes.ts";
import { decimal, mean, pValue, percent, sum } from "./numbers.ts";
import { drawPlot } from "./plot.ts";
import { equalPool } from "./pool.ts";
import type { Study, StudyContext, StudyResult } from "./study.ts";
import type { Subject } from "./subject.ts";
import { predictTrial, runTrial } from "./trial.ts";

const strengths = [sparsegpt(0.3), sparsegpt(0.5), sparsegpt(0.6), wanda, gptq(3)];

interface Sums {
  /** Σ pₗ · predicted damage of language l, p the training shares. */
  readonly predicted: number;
  /** Σ pₗ · rise of the loss of language l, nats a token. */
  readonly actual: number;
}

/** One mix; its seeds are no points of their own, their mean is. */
interface Point extends Sums {
  readonly subject: string;
  readonly method: string;
  readonly mix: string;
  readonly seeds: readonly Sums[];
}

/** Norm of the gradient of the mean loss of each language, from tools/studies/gradient_norms.py. */
type Gradients = Readonly<Record<string, Readonly<Record<string, number>>>>;

const gradientsFile = new URL("gradient-norms.json", import.meta.url);

async function runAll({ subjects, seeds, progress }: StudyContext): Promise<Point[]> {
  const all: Point[] = [];
  const total = sum(subjects.map((subject) => fixedMixes(subject).size * strengths.length * seeds.length));
  for (const subject of subjects) {
    const whole = sum([...subject.shares.values()]);
    const weigh = (values: ReadonlyMap<string, number>): number =>
      sum([...subject.shares].map(([language, share]) => (share / whole) * (values.get(language) ?? NaN)));
    for (const method of strengths) {
      for (const [mix, weights] of fixedMixes(subject)) {
        const ofSeeds: Sums[] = [];
        for (const seed of seeds) {
          const pool = await equalPool(subject, seed);
          const { rises } = await runTrial(pool, method, weights);
          const losses = new Map([...rises].map(([language, rise]) => [language, Math.log1p(rise)]));
          ofSeeds.push({ predicted: weigh(await predictTrial(pool, method, weights)), actual: weigh(losses) });
          progress(all.length * seeds.length + ofSeeds.length, total);
        }
        const predicted = mean(ofSeeds.map((sums) => sums.predicted));
        const actual = mean(ofSeeds.map((sums) => sums.actual));
        all.push({ subject: subject.name, method: method.name, mix, predicted, actual, seeds: ofSeeds });
      }
    }
  }
  return all;
}

function fitOf(points: readonly Point[]) {
  const [x, y] = [points.map(({ predicted }) => predicted), points.map(({ actual }) => actual)];
  const power = fitLine(x.map(Math.log), y.map(Math.log));
  return { line: fitLine(x, y), power, rank: testCorrelation("spearman", x, y) };
}

/** Gradient norms against shares. */
function gradientTest({ name, shares }: Subject, gradients: Gradients) {
  const own = gradients[name] ?? {};
  const known = [...shares].flatMap(([language, share]) => {
    const norm = own[language];
    return norm === undefined ? [] : [{ language, log: Math.log10(share), norm }];
  });
  const languages = known.map(({ language }) => language);
  const logs = known.map(({ log }) => log);
  const norms = known.map(({ norm }) => norm);
  return { subject: name, languages, logs, norms, ...testCorrelation("spearman", logs, norms) };
}

async function summarise(points: readonly Point[], { subjects, seeds }: StudyContext): Promise<StudyResult> {
  const gradients = JSON.parse(await readFile(gradientsFile, "utf8")) as Gradients;
  const groups = subjects.flatMap(({ name }) =>
    ["all", ...new Set(points.map(({ method }) => method))].map((method) => {
      const own = points.filter((point) => point.subject === name && (method === "all" || point.method === method));
      return { subject: name, method, points: own.length, ...fitOf(own) };
    }),
  );
  const tests = subjects.map((subject) => gradientTest(subject, gradients));
  return {
    settings: `Σ pₗ · predicted damage of language l (as \`mbs predict\` gives it) against Σ pₗ · rise of the loss of language l, p the training shares; SparseGPT 30, 50 and 60%, Wanda 50%, GPTQ 3-bit, four mixes, means over ${seeds.length} seeds, dense propagation. The four mixes of one method are too few for a p below 0.05: four points in order have 0.083. A sum that is additive lies on a line: power 1. Gradient norms: of all weights, of the mean loss of each language's held-out windows, of the dense model, by \`tools/studies/gradient_norms.py\`.`,
    findings: [
      ...groups
        .filter(({ method }) => method === "all")
        .map(
          ({ subject, line, power, rank }) =>
            `${subject}: over all methods and mixes the summed prediction and the actual loss correlate with Spearman ${decimal(rank.value)} ` +
            `(p ${pValue(rank.p)}), R² of a line ${decimal(line.r2)}, and the loss grows as the prediction to the power ${decimal(power.slope)} (R² ${decimal(power.r2)}); additive would be 1.`,
        ),
      ...tests.map(
        ({ subject, value, p }) =>
          `${subject}: Spearman of training share and gradient norm ${decimal(value)} (p ${pValue(p)}); negative means that a larger share goes with a smaller gradient, as the claim says.`,
      ),
    ],
    tables: [
      {
        caption: "Summed prediction against actual loss",
        head: ["model", "method", "points", "R² of a line", "power", "R² of the power", "Spearman", "p"],
        rows: groups.map(({ subject, method, points: count, line, power, rank }) => [
          subject,
          method,
          String(count),
          decimal(line.r2),
          decimal(power.slope),
          decimal(power.r2),
          decimal(rank.value),
          pValue(rank.p),
        ]),
      },
      ...tests.map(({ subject, languages, logs, norms }) => ({
        caption: `${subject}: gradient norm by language`,
        head: ["language", "training share", "gradient norm"],
        rows: languages.map((language, index) => [
          language,
          percent(10 ** at(logs, index)).slice(1),
          decimal(at(norms, index), 3),
        ]),
      })),
    ],
    plots: [
      {
        name: "additivity",
        caption: "Summed prediction against the actual rise of the training mixture's loss, a point a method and mix",
        svg: await drawPlot(
          points.map(({ subject, method, predicted, actual }) => ({ x: predicted, y: actual, series: method, panel: subject })),
          { x: "Σ share · predicted damage", y: "rise of the loss, nats a token", mark: "point" },
        ),
      },
    ],
    numbers: { points, groups, gradients: tests },
  };
}

/** Study 8: the assumptions behind the method. */
export const additivityStudy: Study = {
  name: "additivity",
  title: "Additivity of the error surface, and gradients by share",
  question:
    "Does the predicted damage of languages add up to what happens under the mixture, and does a larger share bring the model nearer to a language's minimum?",
  work: runAll,
  run: async (context) => summarise(await runAll(context), context),
};
