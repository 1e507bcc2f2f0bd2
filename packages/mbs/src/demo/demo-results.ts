import type { SimilarityRecord } from "@mbs/artifacts";
import { InternalError } from "@mbs/contracts";
import type { ScoresReport, TasksReport } from "@mbs/evaluation";
import { spearman } from "@mbs/numbers";
import { distanceToMix, similarityMatrix } from "@mbs/reporting";
import { demoLabel } from "./demo-plan.ts";
import type { DemoPlan } from "./demo-plan.ts";
import { demoTasks } from "./demo-tasks.ts";
import type { DemoTasks } from "./demo-tasks.ts";

/** A rise of perplexity above the dense model over all seeds, as a fraction. */
export interface Rise {
  /** Mean over seeds. */
  readonly rise: number;
  /** Smallest and largest over seeds. */
  readonly spread: readonly [number, number];
  /** Hull of the seeds' 95% bootstrap intervals. */
  readonly interval: readonly [number, number];
  /** Whether the interval excludes zero with every seed. */
  readonly excludesZero: boolean;
}

export interface LanguageRise extends Rise {
  readonly language: string;
  /** Angle in degrees to the calibration mix at the first block's input: mean over the mix, itself at 0°. */
  readonly predicted: number;
}

/** One method with one mix. */
export interface MixResult {
  readonly mix: string;
  readonly title: string;
  /** Sorted by training share. */
  readonly languages: readonly LanguageRise[];
  readonly unweighted: Rise;
  readonly weighted: Rise;
  /** The language with the largest mean; its interval is that of the language, and excludesZero is always false. */
  readonly worst: Rise & { readonly language: string };
  /** Spearman's correlation over languages of predicted and actual rise. */
  readonly correlation: number;
}

export interface MethodResult {
  readonly name: string;
  readonly title: string;
  readonly mixes: readonly MixResult[];
}

export interface DenseResult {
  readonly language: string;
  readonly share: number;
  readonly perplexity: number;
  readonly bitsPerByte: number;
  readonly windows: number;
}

/** Results of the demo. */
export interface DemoResults {
  readonly plan: DemoPlan;
  readonly languages: readonly DenseResult[];
  readonly methods: readonly MethodResult[];
  /** Right answers of the dense model and the first method's. */
  readonly tasks: DemoTasks;
}

interface SeedRise {
  readonly rise: number;
  readonly interval: readonly [number, number];
  readonly excludesZero: boolean;
}

function overSeeds(seeds: readonly SeedRise[]): Rise {
  const rises = seeds.map(({ rise }) => rise);
  return {
    rise: rises.reduce((sum, rise) => sum + rise, 0) / rises.length,
    spread: [Math.min(...rises), Math.max(...rises)],
    interval: [Math.min(...seeds.map(({ interval }) => interval[0])), Math.max(...seeds.map(({ interval }) => interval[1]))],
    excludesZero: seeds.every((seed) => seed.excludesZero),
  };
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new InternalError(`the demo's results lack ${what}; remove its output and run it again`);
  return value;
}

/**
 * Sums up the demo.
 *
 * @param counts segments of each language, by mix
 * @param similarities between all languages
 * @param answers of the dense model and the first method's
 */
export function demoResults(
  plan: DemoPlan,
  report: ScoresReport,
  shares: ReadonlyMap<string, number>,
  counts: ReadonlyMap<string, Readonly<Record<string, number>>>,
  similarities: readonly SimilarityRecord[],
  answers: TasksReport,
): DemoResults {
  const angles = similarityMatrix(similarities, "degrees");
  const languages = report.results
    .filter(({ model }) => model === "dense")
    .map(({ language, perplexity, bitsPerByte, windows }) => ({
      language,
      share: found(shares.get(language), `the share of ${language}`),
      perplexity,
      bitsPerByte,
      windows,
    }))
    .sort((a, b) => b.share - a.share);
  const mixResult = (method: string, { mix, title }: DemoPlan["mixes"][number]): MixResult => {
    const labels = plan.seeds.map((seed) => demoLabel(method, mix, seed));
    const averages = labels.map((label) =>
      found(
        report.averages.find(({ model }) => model === label),
        label,
      ),
    );
    const rises = languages.map(({ language }) => ({
      language,
      predicted: distanceToMix(angles, language, found(counts.get(mix), mix)) ?? NaN,
      ...overSeeds(
        labels.map((label) =>
          found(
            report.pairs.find((pair) => pair.model === label && pair.language === language),
            `${label} ${language}`,
          ),
        ),
      ),
    }));
    const average = (kind: "unweighted" | "weighted"): Rise =>
      overSeeds(
        averages.map((entry) => {
          const { rise, riseInterval, excludesZero } = found(entry[kind], kind);
          return { rise: found(rise, kind), interval: found(riseInterval, kind), excludesZero: excludesZero === true };
        }),
      );
    const worst = rises.reduce((highest, next) => (next.rise > highest.rise ? next : highest));
    return {
      mix,
      title,
      languages: rises,
      unweighted: average("unweighted"),
      weighted: average("weighted"),
      // chosen for being the largest, so its interval is biased upwards
      worst: { ...worst, excludesZero: false },
      correlation: spearman(
        rises.map(({ predicted }) => predicted),
        rises.map(({ rise }) => rise),
      ),
    };
  };
  return {
    plan,
    languages,
    methods: plan.methods.map(({ name, title }) => ({ name, title, mixes: plan.mixes.map((mix) => mixResult(name, mix)) })),
    tasks: demoTasks(plan, answers),
  };
}
