import { RunManifest } from "@mbs/artifacts";
import type { ArtifactStore } from "@mbs/artifacts";
import { noObserver, progressCount } from "@mbs/contracts";
import type { Revisions } from "@mbs/hub";
import type { PlanNode } from "../plan/nodes/plan-node.ts";
import type { PreparedRun } from "../plan/prepared-run.ts";
import type { Executor } from "./executor.ts";
import { Engine } from "./engine.ts";
import type { NodeReport } from "./engine.ts";
import type { RunFolder } from "./run-folder.ts";
import type { RunMachine } from "./run-machine.ts";
import type { RunOptions } from "./run-options.ts";
import type { StatusRecord } from "./run-status.ts";
import { WarningGroups } from "./warning-groups.ts";

/** What all plans of one run are run with. */
export interface Execution extends RunOptions {
  readonly folder: RunFolder;
  readonly machine: RunMachine;
  readonly revisions: Revisions;
  readonly executor: Executor;
}

/** A plan whose every node is done. */
export interface DonePlan {
  /** By node. */
  readonly addresses: ReadonlyMap<string, string>;
  /** In the order of the plan. */
  readonly nodes: readonly NodeReport[];
  readonly manifest: RunManifest;
  /** The artifacts of the run's folder. */
  readonly local: ArtifactStore;
}

/** " (block 3 of 18)" of a node of one block; "" of any other. */
function blockOf({ id }: PlanNode, blocks: readonly string[]): string {
  const index = blocks.findIndex((name) => `${id}.`.includes(`.${name}.`));
  return index < 0 ? "" : ` (block ${index + 1} of ${blocks.length})`;
}

/** Runs all nodes of a plan. @param keeps whether a node's output stays although nothing reads it any more */
export async function runPlan(
  { plan, stages, resources }: PreparedRun,
  keeps: (node: PlanNode) => boolean,
  options: Execution & { readonly status: StatusRecord },
): Promise<DonePlan> {
  const { folder, machine, signal, status, executor, revisions, verbose = false, progress: show = () => {} } = options;
  const { threads, device } = machine;
  const reports = new Map<string, NodeReport>();
  const manifest = await RunManifest.open(folder.manifest);
  const { warn = () => {} } = options;
  const warnings = new WarningGroups(warn);
  const { local, artifacts, ...hands } = await executor.begin({ stages, plan, folder, resources, machine, revisions });
  const engine = new Engine(plan, {
    ...hands,
    stages,
    folder,
    store: artifacts,
    manifest,
    resources,
    context: {
      signal,
      threads,
      device,
      warn,
      note: options.note,
    },
    keeps,
    gather: (addresses) => executor.gather(addresses),
    onNode: (report) => {
      reports.set(report.id, report);
      status.done(report);
      options.onNode?.(report);
    },
    onProgress: (node, progress, isFirst, others) => {
      status.progressed(node, progress);
      // of nodes that run beside each other the oldest one speaks: a line for each would jump to and fro
      if (!isFirst) return;
      const { activity } = progress;
      const beside = others > 0 ? ` and ${others} more` : "";
      if (verbose) {
        const place = `${plan.nodes.indexOf(node) + 1} of ${plan.nodes.length}`;
        show({ ...progress, activity: `${node.id} (${place})${beside}: ${activity}` });
      } else {
        show(status.whole(`${node.id}${blockOf(node, plan.blocks)}${beside}: ${progressCount(progress)}`));
      }
    },
    onWarn: ({ id }, message) => {
      if (verbose) warn(`${id}: ${message}`);
      else warnings.add(id, message);
    },
    onDevice: options.onDevice ?? (() => {}),
    observer: options.observer ?? noObserver,
    onStart: (node, worker) => status.started(node, worker),
    onRetry: (node) => status.waits(node),
  });
  try {
    const addresses = await engine.run();
    await executor.finish();
    // in the order of the plan, whichever was done first
    return { addresses, nodes: plan.nodes.flatMap(({ id }) => reports.get(id) ?? []), manifest, local };
  } finally {
    // workers may warn until they have ended
    warnings.finish();
  }
}
