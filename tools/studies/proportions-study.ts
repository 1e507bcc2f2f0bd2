import { at } from "@mbs/contracts";
import { sparsegpt } from "./methods.ts";
import { mean, percent, percentSpread, spread } from "./numbers.ts";
import { drawPlot } from "./plot.ts";
import { equalPool } from "./pool.ts";
import type { Study, StudyContext, StudyResult } from "./study.ts";
import { runTrial } from "./trial.ts";

/** A near pair of large languages, a far one, a large with a rare one, and two rare ones. */
const pairs = [
  ["fr", "es"],
  ["en", "zh-Hans"],
  ["en", "ta"],
  ["mr", "gu"],
] as const;
const ratios = [64, 16, 4, 1, 1 / 4, 1 / 16, 1 / 64] as const;

/** One model is enough to see the shape. */
const studied = "Llama";

const ratioName = (ratio: number): string => (ratio >= 1 ? `${ratio}:1` : `1:${1 / ratio}`);

interface Proportion {
  readonly subject: string;
  readonly pair: readonly [string, string];
  readonly ratio: number;
  /** Rises of the first and the second of the pair and the mean of all others, one a seed. */
  readonly first: readonly number[];
  readonly second: readonly number[];
  readonly others: readonly number[];
}

async function runAll({ subjects, seeds, progress }: StudyContext): Promise<Proportion[]> {
  const all: Proportion[] = [];
  for (const subject of subjects.filter(({ name }) => name === studied)) {
    for (const pair of pairs) {
      for (const ratio of ratios) {
        const found = { first: [] as number[], second: [] as number[], others: [] as number[] };
        for (const seed of seeds) {
          const pool = await equalPool(subject, seed);
          const { rises } = await runTrial(
            pool,
            sparsegpt(),
            new Map([
              [pair[0], ratio],
              [pair[1], 1],
            ]),
          );
          found.first.push(rises.get(pair[0]) ?? NaN);
          found.second.push(rises.get(pair[1]) ?? NaN);
          found.others.push(
            mean([...rises].filter(([language]) => !pair.some((own) => own === language)).map(([, rise]) => rise)),
          );
        }
        all.push({ subject: subject.name, pair, ratio, ...found });
        progress(all.length, pairs.length * ratios.length);
      }
    }
  }
  return all;
}

function finding(own: readonly Proportion[]): string {
  const { subject, pair } = at(own, 0);
  const atRatio = (ratio: number): Proportion => own.find((entry) => entry.ratio === ratio) ?? at(own, 0);
  const [even, most, least] = [atRatio(1), atRatio(64), atRatio(1 / 64)];
  return (
    `${subject}, ${pair.join(" and ")}: from 1:1 to 64:1 ${pair[0]} goes from ${percent(mean(even.first))} to ${percent(mean(most.first))} ` +
    `and ${pair[1]} from ${percent(mean(even.second))} to ${percent(mean(most.second))}; to 1:64 ${pair[0]} goes to ${percent(mean(least.first))} ` +
    `and ${pair[1]} to ${percent(mean(least.second))}.`
  );
}

async function summarise(all: readonly Proportion[], { seeds }: StudyContext): Promise<StudyResult> {
  const groups = [...new Set(all.map(({ subject, pair }) => `${subject} ${pair.join()}`))].map((key) =>
    all.filter(({ subject, pair }) => `${subject} ${pair.join()}` === key),
  );
  return {
    settings: `SparseGPT 50%, dense propagation, two languages weighted at seven ratios from one equal pool a seed (32 segments of 256 tokens a language), ${seeds.length} seeds, with the smallest and largest in brackets.`,
    findings: groups.map(finding),
    tables: groups.map((own) => ({
      caption: `${at(own, 0).subject}, ${at(own, 0).pair.join(" : ")}`,
      head: ["weights", at(own, 0).pair[0], at(own, 0).pair[1], "mean of the others"],
      rows: own.map(({ ratio, first, second, others }) => [
        ratioName(ratio),
        percentSpread(spread(first)),
        percentSpread(spread(second)),
        percentSpread(spread(others)),
      ]),
    })),
    plots: [
      {
        name: "proportions",
        caption: "Rise of both languages of a pair by their weights in calibration",
        svg: await drawPlot(
          all.flatMap(({ subject, pair, ratio, first, second }) =>
            [first, second].map((values, index) => ({
              x: ratio,
              y: mean(values),
              series: index === 0 ? "first" : "second",
              panel: `${subject}, ${pair.join(" : ")}`,
            })),
          ),
          { x: "weight of the first against the second", y: "rise of perplexity", mark: "line", logX: true, percentY: true },
        ),
      },
    ],
    numbers: all,
  };
}

/** Study 4: how far apart two weights may be. */
export const proportionsStudy: Study = {
  name: "proportions",
  title: "Very different proportions",
  question: "How much does a language lose when it has a small part of the calibration text, and does the other gain?",
  work: runAll,
  run: async (context) => summarise(await runAll(context), context),
};
