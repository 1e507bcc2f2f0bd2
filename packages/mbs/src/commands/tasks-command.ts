import { counted, parseOptions, printable } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { createReporter, optionsToFlags, printText, progressStyle } from "@mbs/host-cli";
import { formatTable, headings, wrapLines } from "@mbs/reporting";
import { listTasks, summariseTasks } from "@mbs/tasks";
import type { TaskName, TaskSummary } from "@mbs/tasks";
import { Argument } from "commander";
import type { Command } from "commander";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";

const options = { json: { kind: "flag", description: "print JSON" } } as const satisfies OptionTable;

/** More than this is left out of a table of names alone: lm-evaluation-harness has 14,000 tasks. */
const mostNames = 40;

function namesText(names: readonly TaskName[]): string {
  const counts = (["task", "group", "tag"] as const).map((kind) => {
    return counted(names.filter((name) => name.kind === kind).length, kind);
  });
  const shown = names.slice(0, mostNames);
  const table = formatTable({
    columns: [{ title: "name" }, { title: "kind" }],
    rows: shown.map(({ name, kind }) => [printable(name), kind]),
  });
  const more =
    shown.length < names.length ? `… and ${names.length - shown.length} more: name a pattern, or take --json for all\n` : "";
  return `${names.length === 0 ? "" : `${table}${more}\n`}${counts.join(", ")}\n`;
}

function summariesText(summaries: readonly TaskSummary[]): string {
  const several = summaries.filter(({ kind }) => kind !== "task");
  const tasks = summaries.filter(({ kind, refused }) => kind === "task" && refused === undefined);
  const refused = summaries.filter((summary) => summary.refused !== undefined);
  const blocks = [
    ...(several.length === 0
      ? []
      : [
          formatTable({
            columns: headings(["name", "kind"], ["tasks"]),
            rows: several.map(({ name, kind, tasks: count }) => [printable(name), kind, String(count)]),
          }),
        ]),
    ...(tasks.length === 0
      ? []
      : [
          formatTable({
            columns: [{ title: "task" }, { title: "language" }, { title: "metrics" }],
            rows: tasks.map(({ name, language = "–", metrics = [] }) => [printable(name), language, metrics.join(", ")]),
          }),
        ]),
    ...refused.map(({ refused: why = "" }) => `${wrapLines(`not answered here: ${printable(why)}`, "", "  ").join("\n")}\n`),
  ];
  return blocks.join("\n");
}

/** `mbs tasks`: what `mbs evaluate --tasks` may name. */
export function tasksCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "tasks",
    "List the tasks, groups and tags of a folder; with patterns also the language, the metrics (--json: the dataset too) and what cannot be answered.",
    ["mbs tasks lm_eval/tasks", "mbs tasks lm_eval/tasks 'belebele_*' multiblimp", "mbs tasks mine/ --json"],
  )
    .addArgument(new Argument("<folder>", "folder of tasks, as evaluate --task-path takes it"))
    .addArgument(new Argument("[patterns...]", "names of tasks, groups and tags, or patterns such as xnli_*"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (folder: string, patterns: readonly string[]) => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const { json } = parseOptions(options, given, "tasks");
    if (patterns.length === 0) {
      const names = await listTasks([folder]);
      await printText(json ? `${JSON.stringify({ names }, null, 2)}\n` : namesText(names));
      return;
    }
    const reporter = createReporter("mbs tasks", progressStyle(quiet));
    try {
      const summaries: TaskSummary[] = [];
      for await (const summary of summariseTasks(patterns, [folder])) {
        signal.throwIfAborted();
        summaries.push(summary);
        reporter.progress({ activity: "open tasks", done: summaries.length, unit: "names" });
      }
      reporter.stop();
      await printText(json ? `${JSON.stringify({ tasks: summaries }, null, 2)}\n` : summariesText(summaries));
    } finally {
      reporter.stop();
    }
  });
}
