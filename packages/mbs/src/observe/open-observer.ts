import type { Observer, OptionTable, OptionValues } from "@mbs/contracts";
import { createReporter, progressStyle, writeLogLine } from "@mbs/host-cli";
import type { Reporter } from "@mbs/host-cli";
import { eventLog } from "./event-log.ts";
import { parseMetricsAddress } from "./metrics-address.ts";
import type { HostState } from "./metrics.ts";
import { openTraces } from "./traces.ts";

/** Options of commands that run for long. */
export const observeOptions = {
  metrics: {
    kind: "text",
    placeholder: "HOST:PORT",
    description: "offer metrics for Prometheus there, at /metrics; a port alone is on loopback",
    optional: true,
    check: parseMetricsAddress,
  },
  traces: { kind: "flag", description: "send spans by OpenTelemetry, where its variables (OTEL_…) say" },
  log: {
    kind: "choice",
    choices: ["text", "json"],
    default: "text",
    description: "json: a JSON object a line on standard error for each event, without texts or secrets",
  },
} as const satisfies OptionTable;

/** What a command says beside its events. */
export const commandReporter = (name: string, quiet: boolean, log: "text" | "json"): Reporter =>
  createReporter(name, log === "json" && !quiet ? "json" : progressStyle(quiet));

/** How a command speaks. */
interface Speaker {
  /** "mbs serve" */
  readonly name: string;
  readonly note: (line: string) => void;
  readonly warn: (line: string) => void;
}

export interface OpenObserver {
  readonly observer: Observer;
  /** Adds the metrics of a server. */
  readonly watch: (state: HostState) => void;
  readonly close: () => Promise<void>;
}

const stageOfAll =
  (parts: readonly Pick<Observer, "stage">[]): Observer["stage"] =>
  (work) => {
    const ends = parts.map(({ stage }) => stage(work));
    return (ending) => ends.forEach((end) => end(ending));
  };

/** Reports to several. */
const reportToAll = (observers: readonly Observer[]): Observer => ({
  stage: stageOfAll(observers),
  call(work) {
    const calls = observers.map(({ call }) => call(work));
    return { stage: stageOfAll(calls), end: (ending) => calls.forEach(({ end }) => end(ending)) };
  },
});

/**
 * Opens what the options of a command ask for: nothing is loaded, listened at or sent without them.
 *
 * @param isOne whether all that it does is one trace
 * @throws as openMetrics and openTraces
 */
export async function openObserver(
  { metrics: place, traces: wantsTraces, log }: OptionValues<typeof observeOptions>,
  { name, note, warn }: Speaker,
  isOne: boolean,
): Promise<OpenObserver> {
  // it loads the server of gRPC for its addresses
  const metrics = place === undefined ? undefined : await (await import("./metrics.ts")).openMetrics(place);
  if (metrics !== undefined) note(`metrics at ${metrics.address}`);
  if (metrics?.isOpen === true) warn(`anyone who reaches ${metrics.address} may read the metrics`);
  const traces = wantsTraces ? await openTraces(isOne ? name : undefined, warn) : undefined;
  const events = log === "json" ? eventLog((line) => writeLogLine(name, line)) : undefined;
  return {
    observer: reportToAll([metrics?.observer, traces?.observer, events].filter((each) => each !== undefined)),
    watch: (state) => metrics?.watch(state),
    async close() {
      await Promise.all([metrics?.close(), traces?.close()]);
    },
  };
}
