import type { ScoresReport } from "@mbs/evaluation";
import { testCorrelation } from "@mbs/numbers";
import { formatInterval, formatRise } from "../numbers.ts";
import type { Evidence, Finding } from "./finding.ts";

/** A language of one model: its perplexity and its tasks against the reference's. */
interface LanguageOutcome {
  readonly language: string;
  readonly rise: number;
  readonly riseInterval: readonly [number, number];
  /** Mean share of right answers over its tasks, less the reference's. */
  readonly difference: number;
  readonly differenceInterval: readonly [number, number];
}

/** Languages whose tasks and texts were both compared with the reference's. */
function outcomesOf({ pairs, tasks }: ScoresReport, model: string): readonly LanguageOutcome[] {
  return tasks.means.flatMap(({ of, name: language, model: own, difference, differenceInterval }) => {
    if (of !== "language" || own !== model || difference === undefined || differenceInterval === undefined) return [];
    const pair = pairs.find((entry) => entry.model === model && entry.language === language);
    return pair ? [{ language, rise: pair.rise, riseInterval: pair.interval, difference, differenceInterval }] : [];
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return ((sorted[middle] ?? NaN) + (sorted[sorted.length - 1 - middle] ?? NaN)) / 2;
}

/** Models of which at least one language has texts and tasks. */
export const modelsWithTasks = (report: ScoresReport): readonly string[] =>
  [...new Set(report.tasks.pairs.map(({ model }) => model))].filter((model) => outcomesOf(report, model).length > 0);

/**
 * Signature: a language that loses right answers although its perplexity does not show it. Claimed where the 95% interval of the
 * difference in right answers lies below zero, and the language's rise of perplexity is not above the median of the languages
 * that have tasks, or its interval includes zero.
 */
export function tasksFallUnseen(report: ScoresReport, model: string): Finding | undefined {
  const outcomes = outcomesOf(report, model);
  const middle = median(outcomes.map(({ rise }) => rise));
  const unseen = outcomes.filter(
    ({ rise, riseInterval, differenceInterval }) => differenceInterval[1] < 0 && (rise <= middle || riseInterval[0] <= 0),
  );
  if (unseen.length === 0) return undefined;
  const reference = report.tasks.pairs.find((pair) => pair.model === model)?.reference ?? "";
  const { value, p } = testCorrelation(
    "spearman",
    outcomes.map(({ rise }) => rise),
    outcomes.map(({ difference }) => -difference),
  );
  const names = unseen.map(({ language }) => language);
  return {
    signature: "tasks-fall-unseen",
    title: `${model} answers fewer tasks of ${names.join(", ")} right, and perplexity does not show it.`,
    texts: [
      `Against ${reference}: ${unseen
        .map(
          ({ language, difference, differenceInterval, rise, riseInterval }) =>
            `${language} ${formatRise(difference)} of answers (${formatInterval(differenceInterval)}), perplexity ${formatRise(rise)} (${formatInterval(riseInterval)})`,
        )
        .join("; ")}.`,
      ...(Number.isNaN(value)
        ? []
        : [
            `Rank correlation of rises of perplexity and lost answers over ${outcomes.length} languages: ${value.toFixed(2)} (p = ${p.toPrecision(2)}).`,
          ]),
    ],
    models: [model],
    languages: names,
    evidence: unseen.flatMap(({ language, difference, differenceInterval, rise, riseInterval }): Evidence[] => [
      {
        what: `${language}, right answers less those of ${reference}`,
        unit: "share",
        value: difference,
        interval: differenceInterval,
        significant: true,
      },
      {
        what: `${language}, perplexity above ${reference}`,
        unit: "rise",
        value: rise,
        interval: riseInterval,
        significant: riseInterval[0] > 0,
      },
    ]),
    remedy: {
      text: "Choose the mix and the method by these tasks too, and check the model against a limit.",
      command: "mbs gate scores.arrow --max-worst-rise 5% --max-task-loss 2%",
    },
  };
}
