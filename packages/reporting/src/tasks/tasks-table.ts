import { groupBy } from "@mbs/contracts";
import { excludesZero, firstMetrics } from "@mbs/evaluation";
import type { TaskMean, TaskPair, TaskResult, TasksReport } from "@mbs/evaluation";
import { formatAgreement, formatInterval, formatShareInterval, formatRise } from "../numbers.ts";
import { formatTable, headings } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";
import { colours, noteText, wrapLines } from "../terminal/terminal-text.ts";

const rightText =
  "right: share of right answers by the metric; chance: what guessing gives, with ~ where the model is not above it";

const differenceText =
  "difference: right less the reference's, in points; flips: answers that were right and are wrong now, or the other way round";

/** What the columns of tables of tasks are. */
export const taskText = (compared: boolean): string =>
  [rightText, ...(compared ? [differenceText, clearText] : []), "intervals are 95%, over documents"].join("; ");

/** A language's mean of one task is that task. */
const isOwnRow = ({ of, tasks }: TaskMean): boolean => of === "group" || tasks.length > 1;

/** An interval of differences, in points. */
const pointsInterval = (interval: readonly [number, number]): string => formatInterval(interval).replace("%", "");

const rightCell = ({ value }: { readonly value: number }): string => formatAgreement(value);

function chanceCell({ chance, aboveChance }: Pick<TaskResult, "chance" | "aboveChance">): string {
  if (chance === null) return "–";
  return `${formatAgreement(chance)}${aboveChance ? " " : "~"}`;
}

/** Beside a star. */
const starText = "* clear";

/** What decides on stars: of a mean there are no flips to test. */
const clearText = "clear: the 95% interval excludes zero, and McNemar's exact test of a task's flips has p < 0.05";

/** "+1.2 *": a difference in points; a star where it is clear. */
const differenceCell = ({ difference, excludesZero: isClear }: Pick<TaskPair, "difference" | "excludesZero">): string =>
  `${formatRise(difference).slice(0, -1)}${isClear ? " *" : ""}`;

/** Which model, task and metric something is of. */
type OfTask = Pick<TaskPair, "model" | "task" | "metric">;

export const sameTask = (one: OfTask, other: OfTask): boolean =>
  one.model === other.model && one.task === other.task && one.metric === other.metric;

const rightTitles = ["n", "right", "95% interval", "chance"];

const rightCells = (result: TaskResult): string[] => [
  result.task,
  result.metric,
  String(result.documents),
  rightCell(result),
  formatShareInterval(result.interval),
  chanceCell(result),
];

const differenceTitles = ["difference", "95% interval", "flips"];

/** @param missing in place of what was not compared */
const differenceCells = (
  pair: Pick<TaskPair, "difference" | "excludesZero" | "interval" | "flips"> | undefined,
  missing = "–",
): string[] =>
  pair ? [differenceCell(pair), pointsInterval(pair.interval), formatAgreement(pair.flips)] : [missing, missing, missing];

/** One model, a row a task and metric, with what it is compared with: for pages, which have the width. */
export function tasksOf({ results, pairs }: TasksReport, model: string): TextTable {
  const compared = pairs.some((pair) => pair.model === model);
  return {
    columns: headings(["task", "metric"], [...rightTitles, ...(compared ? differenceTitles : [])]),
    rows: results
      .filter((result) => result.model === model)
      .map((result) => [
        ...rightCells(result),
        ...(compared
          ? differenceCells(
              pairs.find((pair) => sameTask(pair, result)),
              "",
            )
          : []),
      ]),
  };
}

const meanCell = (mean: TaskMean): string =>
  `${formatAgreement(mean.value)}${mean.chance === null ? "" : ` (chance ${chanceCell(mean).trim()})`}`;

/** Groups and languages, a column a model: the mean over their tasks, and its difference from the reference's. */
export function taskMeansOf(report: TasksReport): TextTable {
  const means = report.means.filter(isOwnRow);
  const models = [...new Set(means.map(({ model }) => model))];
  const rows = [...groupBy(means, ({ of, name }) => JSON.stringify([of, name])).values()];
  return {
    columns: headings(["mean over tasks of"], models),
    rows: rows.map((own) => [
      own[0].name,
      ...models.map((model) => {
        const mean = own.find((one) => one.model === model);
        if (mean === undefined) return "–";
        if (mean.difference === undefined || mean.differenceInterval === undefined) return meanCell(mean);
        const interval = pointsInterval(mean.differenceInterval);
        return `${formatAgreement(mean.value)} (${formatRise(mean.difference).slice(0, -1)}: ${interval})`;
      }),
    ]),
  };
}

const meanName = ({ name, of, tasks }: TaskMean): string =>
  of === "group" ? `mean of ${name}` : `mean of ${name} (${tasks.length} tasks)`;

/** The first model: its tasks by their first metric, then the means. */
function referenceTable({ results, means }: TasksReport, model: string): TextTable {
  return {
    columns: headings(["task", "metric"], rightTitles),
    rows: [
      ...firstMetrics(results.filter((result) => result.model === model)).map(rightCells),
      ...means
        .filter((mean) => mean.model === model && isOwnRow(mean))
        .map((mean) => [meanName(mean), "", "", rightCell(mean), formatShareInterval(mean.interval), chanceCell(mean)]),
    ],
  };
}

/** Another model: its tasks against the first model's, then the means. */
function comparedTable({ results, pairs, means }: TasksReport, model: string): TextTable {
  return {
    columns: headings(["task"], ["right", ...differenceTitles]),
    rows: [
      ...firstMetrics(results.filter((result) => result.model === model)).map((result) => [
        result.task,
        rightCell(result),
        ...differenceCells(pairs.find((pair) => sameTask(pair, result))),
      ]),
      ...means
        .filter((mean) => mean.model === model && isOwnRow(mean))
        .map((mean) => {
          const { difference, differenceInterval: interval, flips } = mean;
          const isCompared = difference !== undefined && interval !== undefined && flips !== undefined;
          const pair = isCompared ? { difference, interval, flips, excludesZero: excludesZero(interval) } : undefined;
          return [meanName(mean), rightCell(mean), ...differenceCells(pair)];
        }),
    ],
  };
}

/** Tasks of any number of models for a terminal; "" where there are none. */
export function tasksTable(report: TasksReport): string {
  const models = [...new Set(report.results.map(({ model }) => model))];
  if (models.length === 0) return "";
  const blocks = models.map((model) => {
    const against = report.pairs.find((pair) => pair.model === model)?.reference;
    return against === undefined
      ? `${colours.bold(`${model}, right answers`)}\n${formatTable(referenceTable(report, model))}`
      : `${colours.bold(`${model}, right answers against ${against} (${starText})`)}\n${formatTable(comparedTable(report, model))}`;
  });
  const hidden = report.results.length > firstMetrics(report.results).length;
  const text = `${taskText(models.length > 1)}${hidden ? "; of each task its first metric: --json and mbs report have all" : ""}`;
  return [...blocks, `${wrapLines(text, "", "  ").join("\n")}\n`, ...report.notes.map((note) => `${noteText(note)}\n`)].join(
    "\n",
  );
}
