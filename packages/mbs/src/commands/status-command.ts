import { hostname } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { counted, formatBytes, parseOptions, printable } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { formatSeconds, optionsToFlags, printText } from "@mbs/host-cli";
import { readStatus } from "@mbs/pipeline";
import type { NodeStatus, RunStatus } from "@mbs/pipeline";
import { runOf } from "../shrink/shrink-recipe.ts";
import { formatTable, headings } from "@mbs/reporting";
import { Argument } from "commander";
import type { Command } from "commander";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";

const options = {
  watch: { kind: "flag", description: "print again every two seconds, until the run ends" },
  json: { kind: "flag", description: "print JSON, with every node; null where no run goes on" },
} as const satisfies OptionTable;

const watchMs = 2000;
/** Nodes that are listed as the slowest. */
const slowest = 5;

/** Whether the process of a run is there; on another machine nobody can tell. */
function isGone({ process: id, host }: RunStatus): boolean {
  if (host !== hostname()) return false;
  try {
    process.kill(id, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

const nodeTable = (title: string, rows: readonly (readonly [NodeStatus, number])[]): string =>
  rows.length === 0
    ? ""
    : formatTable({
        columns: headings([title, "worker"], ["time"]),
        rows: rows.map(([{ id, worker = "" }, seconds]) => [printable(id), printable(worker), formatSeconds(seconds)]),
      });

function trafficTable(traffic: RunStatus["traffic"] = []): string {
  if (traffic.length === 0) return "";
  const sum = (name: "fetched" | "put"): number => traffic.reduce((all, moved) => all + moved[name], 0);
  const all = { worker: "all", fetched: sum("fetched"), put: sum("put") };
  return formatTable({
    columns: headings(["moved by"], ["from the store", "to the store"]),
    rows: [...traffic, all].map(({ worker, fetched, put }) => [printable(worker), formatBytes(fetched), formatBytes(put)]),
  });
}

/** What a person sees of a run. @param now in milliseconds since 1970 */
export function statusText(status: RunStatus, now: number): string {
  const { nodes, began, updated, workers, processors, threads, failure, secondsLeft, leftIsLeast = false } = status;
  const of = (state: NodeStatus["state"]): readonly NodeStatus[] => nodes.filter((node) => node.state === state);
  const isOn = failure === undefined && !isGone(status);
  const [done, running] = [of("done"), isOn ? of("running") : []];
  const waiting = nodes.length - done.length - running.length;
  const counts = `${done.length} of ${nodes.length} nodes done, ${running.length} running, ${waiting} waiting`;
  const workersNamed = processors === undefined ? counted(workers, "worker") : "workers of a queue";
  const machine = `${workersNamed} with ${counted(threads, "thread")}${processors === undefined ? "" : " each"}`;
  const left =
    secondsLeft === undefined
      ? ""
      : `, ${leftIsLeast ? "at least" : "about"} ${formatSeconds(Math.max(0, secondsLeft - (now - updated) / 1000))} left`;
  const state =
    failure !== undefined
      ? `stopped: ${printable(failure)}`
      : !isOn
        ? `process ${status.process} is gone; run the recipe again to go on`
        : `running for ${formatSeconds((now - began) / 1000)} on ${machine}${left}`;
  const active = running.map((node) => [node, (now - (node.began ?? now)) / 1000] as const);
  const timed = done.flatMap((node) => (node.seconds === undefined ? [] : [[node, node.seconds] as const]));
  const slow = timed.toSorted(([, a], [, b]) => b - a).slice(0, slowest);
  const nodeTables = [nodeTable("running", active), nodeTable("slowest so far", slow)];
  const tables = [...nodeTables, trafficTable(status.traffic)].filter((table) => table !== "");
  return [`${state}\n${counts}\n`, ...tables].join("\n");
}

/** `mbs status`: how far a run is. */
export function statusCommand({ signal }: CommandContext): Command {
  const command = plainCommand("status", "Show how far a run is: nodes done and running, on which worker, and the time left.", [
    "mbs status out/",
    "mbs status out/ --watch",
  ]).addArgument(new Argument("<output>", "output folder of a recipe"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (output: string) => {
    const { quiet: _quiet, debug: _debug, ...given } = command.opts<Record<string, unknown>>();
    const { watch, json } = parseOptions(options, given, "status");
    for (;;) {
      const status = await readStatus(await runOf(output));
      const text = status === undefined ? "no run goes on here; what was begun is done\n" : statusText(status, Date.now());
      await printText(json ? `${JSON.stringify(status ?? null)}\n` : text);
      if (!watch || status === undefined || status.failure !== undefined || isGone(status)) return;
      if (!json) await printText("\n");
      await wait(watchMs, undefined, { signal });
    }
  });
}
