import { at, groupBy } from "@mbs/contracts";
import type { ScoresReport } from "@mbs/evaluation";
import { testCorrelation } from "@mbs/numbers";
import { formatCorrelation, formatInterval, formatRise } from "../../numbers.ts";
import { riseEvidence } from "../finding.ts";
import type { Evidence } from "../finding.ts";
import { riseText } from "../rises.ts";
import type { MeasuredRise } from "../rises.ts";
import { defineRule } from "./rule.ts";

/** A language of one model: its perplexity and its tasks against the reference's. */
interface LanguageOutcome {
  readonly language: string;
  readonly perplexity: MeasuredRise;
  /** Mean share of right answers over its tasks, less the reference's. */
  readonly answers: MeasuredRise;
}

/** A model of which at least one language has texts and tasks. */
interface AnsweringModel {
  readonly model: string;
  readonly reference: string;
  readonly outcomes: readonly LanguageOutcome[];
}

/** Languages whose tasks and texts were both compared with the reference's. */
const outcomesOf = ({ pairs, tasks }: ScoresReport, model: string): readonly LanguageOutcome[] =>
  tasks.means.flatMap(({ of, name: language, model: own, difference, differenceInterval }) => {
    if (of !== "language" || own !== model || difference === undefined || differenceInterval === undefined) return [];
    const perplexity = pairs.find((entry) => entry.model === model && entry.language === language);
    return perplexity ? [{ language, perplexity, answers: { rise: difference, interval: differenceInterval } }] : [];
  });

export const answeringModels = (report: ScoresReport): readonly AnsweringModel[] =>
  [...groupBy(report.tasks.pairs, ({ model }) => model)]
    .map(([model, [{ reference }]]) => ({ model, reference, outcomes: outcomesOf(report, model) }))
    .filter(({ outcomes }) => outcomes.length > 0);

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return (at(sorted, middle) + at(sorted, sorted.length - 1 - middle)) / 2;
}

/**
 * A language that loses right answers although its perplexity does not show it. Not of the paper, which has no tasks.
 *
 * Threshold: the 95% interval of the difference in right answers lies below zero, and the language's rise of perplexity is
 * not above the median of the languages that have tasks, or its interval includes zero. The median is our choice: half of
 * the languages are hurt more by perplexity, so that nobody would look at this one.
 */
export const tasksFallUnseen = defineRule({
  signature: "tasks-fall-unseen",
  looksFor: "tasks that fall where perplexity does not show it",
  cases: ({ scored: { report } }) => answeringModels(report),
  lacks: () => [],
  test({ outcomes }: AnsweringModel) {
    const middle = median(outcomes.map(({ perplexity }) => perplexity.rise));
    const unseen = outcomes.filter(
      ({ perplexity, answers }) => answers.interval[1] < 0 && (perplexity.rise <= middle || perplexity.interval[0] <= 0),
    );
    return unseen.length > 0 ? unseen : undefined;
  },
  say({ model, reference, outcomes }, unseen) {
    const correlation = testCorrelation(
      "spearman",
      outcomes.map(({ perplexity }) => perplexity.rise),
      outcomes.map(({ answers }) => -answers.rise),
    );
    const names = unseen.map(({ language }) => language);
    const lost = unseen.map(
      ({ language, perplexity, answers: { rise, interval } }) =>
        `${language} ${formatRise(rise)} of answers (${formatInterval(interval)}), perplexity ${riseText([perplexity])}`,
    );
    return {
      title: `${model} answers fewer tasks of ${names.join(", ")} right, and perplexity does not show it.`,
      texts: [
        `Against ${reference}: ${lost.join("; ")}.`,
        ...(Number.isNaN(correlation.value)
          ? []
          : [
              `Rank correlation of rises of perplexity and lost answers over ${outcomes.length} languages: ${formatCorrelation(correlation)}.`,
            ]),
      ],
      models: [model],
      languages: names,
      evidence: unseen.flatMap(({ language, perplexity, answers }): Evidence[] => [
        {
          what: `${language}, right answers less those of ${reference}`,
          unit: "share",
          value: answers.rise,
          interval: answers.interval,
          significant: true,
        },
        ...riseEvidence(`${language}, perplexity above ${reference}`, [perplexity], perplexity.interval[0] > 0),
      ]),
      remedy: {
        text: "Choose the mix and the method by these tasks too, and check the model against a limit.",
        command: "mbs gate SCORES --max-worst-rise 5% --max-task-loss 2%",
      },
    };
  },
});
