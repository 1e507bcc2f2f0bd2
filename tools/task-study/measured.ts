import { collectScores, openArtifact, parseMetadata } from "@mbs/artifacts";
import type { Score } from "@mbs/artifacts";
import { at, groupBy } from "@mbs/contracts";
import { collectAnswers, readScoredTasks } from "@mbs/evaluation";
import type { TaskAnswers } from "@mbs/evaluation";
import { lessOf, meanOf } from "./figures.ts";
import type { Figure, Stratum } from "./figures.ts";

/** Mixes of calibration text, as the scores name their models; "dense" stands before them. */
export const mixes = ["en", "equal", "proportional"] as const;
export type Mix = (typeof mixes)[number];
export type Label = "dense" | Mix;

/** What is measured: on windows the first three, on documents the others. */
export type Measure = "loss" | "kl" | "agreement" | "right" | "flips";

/** One model and method, its dense and compressed models scored on the same windows and documents. */
export interface Setting {
  readonly title: string;
  readonly languages: readonly string[];
  /** Windows of a language; the fewest. */
  readonly windows: number;
  readonly strata: (label: Label, measure: Measure) => readonly Stratum[];
}

export const kinds = ["continuation", "pairs"] as const;
export type Kind = (typeof kinds)[number];

/** What guessing gives: one of four, one of two. */
export const chanceOf: Readonly<Record<Kind, number>> = { continuation: 0.25, pairs: 0.5 };

export const isKind =
  (kind: Kind) =>
  ({ task }: Stratum): boolean =>
    task.includes(`_${kind}_`);

/** As the windows name it: `controlled_pairs_zh-Hans` is of zh-Hans, though the scores call its language zh. */
const languageOf = (task: string): string => task.slice(task.lastIndexOf("_") + 1);

const kindOf = (stratum: Stratum): Kind => (isKind("pairs")(stratum) ? "pairs" : "continuation");

const ofWindows = (language: string, windows: readonly Score[], valueOf: (window: Score) => number): Stratum => ({
  language,
  task: "",
  sums: Float64Array.from(windows, valueOf),
  counts: Float64Array.from(windows, ({ tokens }) => tokens),
});

const windowValues: Readonly<Record<"loss" | "kl" | "agreement", (window: Score) => number>> = {
  loss: ({ nll }) => nll,
  kl: ({ distance }) => distance?.kl.reduce((sum, value) => sum + value, 0) ?? 0,
  agreement: ({ distance, tokens }) => distance?.agreed ?? tokens,
};

/** By the first metric of each task, `acc`. */
function rightAnswers({ task, byMetric }: TaskAnswers): Uint8Array {
  const answers = byMetric.get("acc");
  if (answers === undefined) throw new Error(`${task} was not measured by acc`);
  return answers.right;
}

/** Reads the scores of one setting: of windows and of tasks, which may be one file. */
export async function readSetting(title: string, paths: { readonly windows: string; readonly tasks: string }): Promise<Setting> {
  const { windows: scored } = await collectScores(await openArtifact(paths.windows));
  const stream = await openArtifact(paths.tasks);
  const described = readScoredTasks(parseMetadata("scores", stream.schema).tasks);
  const { tasks } = await collectScores(stream);
  const windows = new Map(
    [...groupBy(scored, ({ model }) => model)].map(([model, own]) => [model, groupBy(own, ({ language }) => language)]),
  );
  const answers = groupBy(
    collectAnswers(tasks, (task) => described.get(task)?.metrics ?? []),
    ({ model }) => model,
  );
  const answersOf = (label: Label): readonly TaskAnswers[] => answers.get(label) ?? [];
  const strata = (label: Label, measure: Measure): readonly Stratum[] => {
    if (measure !== "right" && measure !== "flips") {
      return [...(windows.get(label) ?? [])].map(([language, own]) => ofWindows(language, own, windowValues[measure]));
    }
    return answersOf(label).map((own, index) => {
      const right = rightAnswers(own);
      const before = rightAnswers(at(answersOf("dense"), index));
      const values = measure === "right" ? right : right.map((value, document) => Number(value !== before[document]));
      const { task } = own;
      return {
        language: languageOf(task),
        task,
        sums: Float64Array.from(values),
        counts: new Float64Array(values.length).fill(1),
      };
    });
  };
  const dense = strata("dense", "loss");
  const fewest = Math.min(...dense.map(({ sums }) => sums.length));
  return { title, languages: dense.map(({ language }) => language), windows: fewest, strata };
}

/** A mix in one language, or in the mean of all. */
export interface MixFigures {
  /** ln(perplexity / dense perplexity), nats a token. */
  readonly rise: Figure;
  readonly kl: Figure;
  readonly agreement: Figure;
  /** Share of right answers, less the dense model's. */
  readonly difference: Figure;
  readonly flips: Figure;
}

/** The figures of a mix over chosen strata. */
export function figuresOf({ strata }: Setting, mix: Mix, isChosen: (stratum: Stratum) => boolean): MixFigures {
  const chosen = (label: Label, measure: Measure): readonly Stratum[] => strata(label, measure).filter(isChosen);
  return {
    rise: meanOf(lessOf(chosen(mix, "loss"), chosen("dense", "loss"))),
    kl: meanOf(chosen(mix, "kl")),
    agreement: meanOf(chosen(mix, "agreement")),
    difference: meanOf(lessOf(chosen(mix, "right"), chosen("dense", "right"))),
    flips: meanOf(chosen(mix, "flips")),
  };
}

/** The dense model's share of right answers in a task of a language, and whether its whole interval lies above chance. */
export interface DenseAnswers {
  readonly language: string;
  readonly kind: Kind;
  readonly documents: number;
  readonly right: Figure;
  readonly aboveChance: boolean;
}

export const denseAnswers = ({ strata }: Setting): readonly DenseAnswers[] =>
  strata("dense", "right").map((stratum) => {
    const [right, kind] = [meanOf([stratum]), kindOf(stratum)];
    const aboveChance = right.interval[0] > chanceOf[kind];
    return { language: stratum.language, kind, documents: stratum.sums.length, right, aboveChance };
  });
