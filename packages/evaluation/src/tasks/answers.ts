import type { AnswerScore, ChoiceScore, TaskScore } from "@mbs/artifacts";
import { at, BadDataError, groupBy } from "@mbs/contracts";
import type { TaskMetric } from "@mbs/tasks";

/** The answers of one model to the documents of a task, by one metric. */
export interface Answers {
  /** Whether each document's answer is right: 1 or 0. */
  readonly right: Uint8Array;
  /** What was answered: the number of a choice, or the text. */
  readonly answers: readonly (number | string)[];
}

/** One model on one task. */
export interface TaskAnswers {
  readonly model: string;
  readonly address: string;
  readonly task: string;
  /** "" where the task names none. */
  readonly language: string;
  /** Numbers of the documents, ascending. */
  readonly documents: readonly number[];
  readonly byMetric: ReadonlyMap<TaskMetric, Answers>;
  /** Documents whose prompt was cut to fit the context. */
  readonly cut: number;
  /** Share of right answers that guessing gives; undefined for answers in text. */
  readonly chance: number | undefined;
}

type Document = { readonly choices: readonly ChoiceScore[] } | { readonly answer: AnswerScore };

/** What a metric compares: the choice with the largest value is the answer. */
const values: { readonly [M in Exclude<TaskMetric, "exact_match">]: (choice: ChoiceScore) => number | undefined } = {
  acc: ({ nll }) => -nll,
  acc_norm: ({ nll, characters }) => -nll / characters,
  acc_bytes: ({ nll, bytes }) => -nll / bytes,
  acc_tokens: ({ nll, tokens }) => -nll / tokens,
  acc_mutual_info: ({ nll, unconditional }) => (unconditional === undefined ? undefined : unconditional - nll),
};

/** The first of the largest, as lm-evaluation-harness breaks ties. */
function largest(found: readonly number[]): number {
  let best = 0;
  for (const [index, value] of found.entries()) if (value > at(found, best)) best = index;
  return best;
}

function answerOf(document: Document, metric: TaskMetric, name: string): { answer: number | string; right: boolean } {
  if ("answer" in document) {
    if (metric !== "exact_match") throw new BadDataError(`scores: ${name} has an answer in text, and ${metric} needs choices`);
    return { answer: document.answer.answer, right: document.answer.right };
  }
  if (metric === "exact_match") throw new BadDataError(`scores: ${name} has choices, and exact_match needs an answer in text`);
  const found = document.choices.map((choice) => {
    const value = values[metric](choice);
    if (value !== undefined) return value;
    throw new BadDataError(`scores: choice ${choice.choice} of ${name} lacks what ${metric} needs; evaluate again`);
  });
  const answer = largest(found);
  return { answer, right: at(document.choices, answer).right };
}

/** The documents of one task, by number. @throws {BadDataError} where a document is incomplete or stands twice */
function documentsOf(scores: readonly TaskScore[], name: string): ReadonlyMap<number, Document> {
  const byNumber = groupBy(scores, ({ document }) => document);
  const numbers = [...byNumber.keys()].sort((a, b) => a - b);
  return new Map(
    numbers.map((number): [number, Document] => {
      const own = (byNumber.get(number) ?? []).map(({ score }) => score);
      const refuse = (what: string): never => {
        throw new BadDataError(`scores: document ${number} of ${name} ${what}; evaluate again`);
      };
      const answer = own.find((score) => score.kind === "answer");
      if (answer !== undefined) return [number, own.length === 1 ? { answer } : refuse("has several answers")];
      const choices = own.filter((score) => score.kind === "choice").toSorted((a, b) => a.choice - b.choice);
      if (choices.some(({ choice }, index) => choice !== index)) refuse("lacks a choice, or has one twice");
      if (choices.length < 2) refuse("has a single choice");
      return [number, { choices }];
    }),
  );
}

function chanceOf(documents: readonly Document[]): number | undefined {
  const shares = documents.flatMap((document) =>
    "choices" in document ? [document.choices.filter(({ right }) => right).length / document.choices.length] : [],
  );
  return shares.length < documents.length ? undefined : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/**
 * The answers of every model to every task, in the order of the scores: by model, then task.
 *
 * @param metricsOf task → its metrics
 * @throws {BadDataError} where a document is incomplete, or lacks what a metric needs
 */
export function collectAnswers(
  scores: readonly TaskScore[],
  metricsOf: (task: string) => readonly TaskMetric[],
): readonly TaskAnswers[] {
  const groups = groupBy(scores, ({ model, task }) => JSON.stringify([model, task]));
  return [...groups.values()].map((own) => {
    const { model, address, task, language } = at(own, 0);
    if (own.some((score) => score.language !== language || score.address !== address))
      throw new BadDataError(`scores: ${task} by ${model} has two languages, or two models of that name; evaluate again`, {
        task,
      });
    const documents = documentsOf(own, `${task} by ${model}`);
    const byMetric = metricsOf(task).map((metric): [TaskMetric, Answers] => {
      const all = [...documents].map(([number, document]) => answerOf(document, metric, `document ${number} of ${task}`));
      return [metric, { right: Uint8Array.from(all, ({ right }) => Number(right)), answers: all.map(({ answer }) => answer) }];
    });
    return {
      model,
      address,
      task,
      language,
      documents: [...documents.keys()],
      byMetric: new Map(byMetric),
      cut: new Set(own.filter(({ score }) => score.cut > 0).map(({ document }) => document)).size,
      chance: chanceOf([...documents.values()]),
    };
  });
}
