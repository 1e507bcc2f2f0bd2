import { groupBy } from "@mbs/contracts";
import type { TaskMean, TaskPair, TaskResult, TasksReport } from "@mbs/evaluation";
import { formatAgreement, formatInterval, formatShareInterval, formatRise } from "../numbers.ts";
import { formatTable } from "../terminal/table.ts";
import type { TextTable } from "../terminal/table.ts";
import { colours, noteText, wrapLines } from "../terminal/terminal-text.ts";

/** What the columns of tables of tasks are. */
export const taskText =
  "right: share of right answers by the metric; chance: what guessing gives, with ~ where the model is not above it; difference: right less the reference's, in points; flips: answers that were right and are wrong now, or the other way round; intervals are 95%, over documents";

const rightCell = ({ value }: { readonly value: number }): string => formatAgreement(value);

function chanceCell({ chance, aboveChance }: TaskResult): string {
  if (chance === null) return "–";
  return `${formatAgreement(chance)}${aboveChance ? " " : "~"}`;
}

/** "+1.2 *": a difference in points; a star where its interval excludes zero. */
const differenceCell = ({ difference, excludesZero }: TaskPair): string =>
  `${formatRise(difference).slice(0, -1)}${excludesZero ? " *" : ""}`;

const sameTask = (one: TaskResult | TaskPair, other: TaskResult | TaskPair): boolean =>
  one.model === other.model && one.task === other.task && one.metric === other.metric;

/** Of each task its first metric. */
const firstMetrics = (results: readonly TaskResult[]): readonly TaskResult[] =>
  [...groupBy(results, ({ model, task }) => JSON.stringify([model, task])).values()].map(([first]) => first);

const numeric = (title: string): TextTable["columns"][number] => ({ title, numeric: true });

/** One model, a row a task by each of its metrics, or by the first alone. */
export function tasksOf({ results, pairs }: TasksReport, model: string, every: boolean): TextTable {
  const own = results.filter((result) => result.model === model);
  const shown = every ? own : firstMetrics(own);
  const compared = pairs.some((pair) => pair.model === model);
  return {
    columns: [
      { title: "task" },
      { title: "metric" },
      ...["n", "right", "95% interval", "chance"].map(numeric),
      ...(compared ? ["difference", "95% interval", "flips"].map(numeric) : []),
    ],
    rows: shown.map((result) => {
      const { task, metric, documents, interval } = result;
      const row = [task, metric, String(documents), rightCell(result), formatShareInterval(interval), chanceCell(result)];
      const pair = pairs.find((one) => sameTask(one, result));
      if (pair === undefined) return compared ? [...row, "", "", ""] : row;
      return [...row, differenceCell(pair), formatInterval(pair.interval).replace("%", ""), formatAgreement(pair.flips)];
    }),
  };
}

const meanCell = ({ value, chance }: TaskMean): string =>
  `${formatAgreement(value)}${chance === null ? "" : ` (chance ${formatAgreement(chance)})`}`;

/** Groups and languages, a column a model: the mean over their tasks, and its difference from the reference's. */
export function taskMeansOf({ means }: TasksReport): TextTable {
  const models = [...new Set(means.map(({ model }) => model))];
  const rows = [...groupBy(means, ({ of, name }) => JSON.stringify([of, name])).values()];
  return {
    columns: [{ title: "mean over tasks of" }, ...models.map((title) => ({ title, numeric: true }))],
    rows: rows.map((own) => [
      own[0].name,
      ...models.map((model) => {
        const mean = own.find((one) => one.model === model);
        if (mean === undefined) return "–";
        if (mean.difference === undefined || mean.differenceInterval === undefined) return meanCell(mean);
        const interval = formatInterval(mean.differenceInterval).replace("%", "");
        return `${formatAgreement(mean.value)} (${formatRise(mean.difference).slice(0, -1)}: ${interval})`;
      }),
    ]),
  };
}

/** Tasks of any number of models for a terminal; "" where there are none. */
export function tasksTable(report: TasksReport): string {
  const models = [...new Set(report.results.map(({ model }) => model))];
  if (models.length === 0) return "";
  const blocks = models.map((model) => {
    const against = report.pairs.find((pair) => pair.model === model)?.reference;
    const title = against === undefined ? `${model}, tasks` : `${model}, tasks against ${against}`;
    return `${colours.bold(title)}\n${formatTable(tasksOf(report, model, false))}`;
  });
  const means = report.means.length === 0 ? [] : [formatTable(taskMeansOf(report))];
  return [
    ...blocks,
    ...means,
    `${wrapLines(taskText, "", "  ").join("\n")}\n`,
    ...report.notes.map((note) => `${noteText(note)}\n`),
  ].join("\n");
}
