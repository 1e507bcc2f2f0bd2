import { firstMetrics } from "@mbs/evaluation";
import type { TasksReport } from "@mbs/evaluation";
import type { Section, SectionNames } from "../page/section.ts";
import { mostSeries, plotRises } from "../scores/rises-plot.ts";
import { sameTask, taskMeansOf, tasksOf, taskText } from "./tasks-table.ts";

/** More bars than this of each model make no readable picture. */
const mostBars = 60;

/** Differences of the first metric: of each task, or of the means where there are too many tasks. */
function differencesOf({ pairs, means }: TasksReport) {
  const tasks = new Set(pairs.map(({ task }) => task));
  if (tasks.size <= mostBars) {
    return firstMetrics(pairs).map(({ model, task, difference, interval }) => ({
      series: model,
      language: task,
      rise: difference,
      interval,
    }));
  }
  return means.flatMap(({ model, name, difference, differenceInterval }) =>
    difference === undefined || differenceInterval === undefined
      ? []
      : [{ series: model, language: name, rise: difference, interval: differenceInterval }],
  );
}

/** Tasks: means, differences from the reference, and every task of every model; none where nothing was answered. */
export async function tasksSections(report: TasksReport, reference: string, names: SectionNames): Promise<Section[]> {
  const { results, pairs, notes } = report;
  const models = [...new Set(results.map(({ model }) => model))];
  if (models.length === 0) return [];
  const differences = differencesOf(report);
  const averaged = taskMeansOf(report);
  const series = new Set([...new Set(differences.map((one) => one.series))].slice(0, mostSeries));
  const drawn = differences.filter((one) => series.has(one.series));
  const title = `Right answers, less those of ${reference}`;
  return [
    {
      id: names.id("tasks"),
      title: names.title("Tasks"),
      texts: [`${taskText(models.length > 1)}.`, ...notes],
      ...(drawn.length === 0 ? {} : { plots: [await plotRises(drawn, title, "difference of right answers")] }),
      tables: [
        ...(averaged.rows.length === 0 ? [] : [{ caption: "Means over tasks", table: averaged, open: true }]),
        ...models.map((model, index) => ({ caption: model, table: tasksOf(report, model), open: index === 0 })),
      ],
      data: results.map(({ interval: [low, high], chance, ...result }) => {
        const pair = pairs.find((one) => sameTask(one, result));
        return {
          ...result,
          low,
          high,
          chance: chance ?? "",
          difference: pair?.difference ?? "",
          differenceLow: pair?.interval[0] ?? "",
          differenceHigh: pair?.interval[1] ?? "",
          flips: pair?.flips ?? "",
          flipsLow: pair?.flipsInterval[0] ?? "",
          flipsHigh: pair?.flipsInterval[1] ?? "",
          lost: pair?.lost ?? "",
          gained: pair?.gained ?? "",
          changed: pair?.changed ?? "",
        };
      }),
    },
  ];
}
