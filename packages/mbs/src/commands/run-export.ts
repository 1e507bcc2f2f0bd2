import { resolve } from "node:path";
import { UsageError, formatBytes, optionFlag, parseBytes } from "@mbs/contracts";
import type { DeviceChoice, OptionTable, OptionValues } from "@mbs/contracts";
import { printText } from "@mbs/host-cli";
import type { Reporter } from "@mbs/host-cli";
import { argoWorkflow, estimate, exportPlan, shellWord, snakefile } from "@mbs/pipeline";
import type { ExportedPlan, Recipe, Stages } from "@mbs/pipeline";
import { version } from "../version.ts";
import { requireTargets, writeTarget } from "./target-files.ts";

/** Bytes up to which Kubernetes keeps an object for sure. */
const largestObject = 1024 * 1024;

/** What `mbs run` takes to write a plan for another engine. */
export const exportOptions = {
  export: {
    kind: "choice",
    choices: ["snakemake", "argo"],
    optional: true,
    excludes: ["memory", "workers", "nodeLimit", "queue", "commands", "json"],
    description: "run nothing, and write the nodes for an engine that a cluster has: a Snakefile, or a Workflow of Argo",
  },
  output: {
    kind: "text",
    placeholder: "FILE",
    optional: true,
    description: "with --export: where it is written; default: standard output",
  },
  nodeMemory: {
    kind: "text",
    placeholder: "SIZE",
    optional: true,
    check: (text: string) => parseBytes(text, "--node-memory"),
    description:
      "with --export: memory that each node asks for; default: what mbs estimate finds, which draws the segments and measures for some seconds",
  },
  image: {
    kind: "text",
    placeholder: "NAME",
    optional: true,
    description: "with --export argo: the image of the pods, with mbs in its PATH; default: mbs:VERSION, of this version",
  },
  claim: {
    kind: "text",
    placeholder: "NAME",
    optional: true,
    description: "with --export argo: the volume claim that all pods mount; default: mbs",
  },
  mount: {
    kind: "text",
    placeholder: "FOLDER",
    optional: true,
    description:
      "with --export argo: the folder that is on this volume, with the working directory and all that the recipe reads in it; default: the working directory",
  },
} as const satisfies OptionTable;

type Options = OptionValues<typeof exportOptions>;

/**
 * The options of an export among those of `mbs run`.
 *
 * @throws {UsageError} on an option that goes with another one, which was not given
 */
export function readExportOptions({ export: engine, output, nodeMemory, image, claim, mount }: Options): Options {
  const ofArgo = { image, claim, mount };
  for (const [name, value] of Object.entries({ output, nodeMemory, ...ofArgo })) {
    const isOfArgo = Object.hasOwn(ofArgo, name);
    if (value === undefined || engine === "argo" || (engine !== undefined && !isOfArgo)) continue;
    const needed = isOfArgo ? "--export argo" : "--export";
    throw new UsageError(`run: ${optionFlag(name)} goes with ${needed}`, { option: optionFlag(name) });
  }
  return { export: engine, output, nodeMemory, ...ofArgo };
}

export interface ExportRequest {
  readonly engine: NonNullable<Options["export"]>;
  readonly options: Options;
  readonly stages: Stages;
  readonly threads: number | undefined;
  readonly device: DeviceChoice | undefined;
  readonly force: boolean;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
}

/** What a user should know of a plan before another engine runs it. */
function noteLimits({ hub, loose, output }: ExportedPlan, note: (message: string) => void): void {
  if (hub.length > 0) {
    note(`every machine that runs nodes fetches ${hub.join(", ")} from the Hub, or has it in its cache (HF_HOME)`);
  }
  for (const revision of loose) {
    note(`a manifest names ${revision} without a commit; give it one, or a node may read another than the nodes before it`);
  }
  note(`nodes write to ${output}; let no other run write there`);
}

/** Writes the plan of a recipe for another engine. */
export async function exportRun(recipe: Recipe, request: ExportRequest): Promise<void> {
  const { engine, options, stages, threads, device, force, quiet, signal, reporter } = request;
  const { progress, warn, note } = reporter;
  const { output, nodeMemory, image = `mbs:${version}`, claim = "mbs", mount = "." } = options;
  const plan = await exportPlan(recipe, { stages, threads, device, progress });
  if (output !== undefined) await requireTargets([output], plan.paths, force);
  // refused before the estimate, which takes longer
  const write = (memory?: number): string =>
    engine === "snakemake" ? snakefile(plan, memory) : argoWorkflow(plan, { image, claim, mount: resolve(mount), memory });
  write();
  const memory =
    nodeMemory === undefined
      ? // of one process, as each node is
        (await estimate(recipe, { stages, threads: plan.threads, workers: 0, signal, progress, warn })).memory
      : parseBytes(nodeMemory, "--node-memory");
  const text = write(memory);
  noteLimits(plan, note);
  const bytes = Buffer.byteLength(text);
  if (engine === "argo" && bytes > largestObject) {
    warn(
      `the workflow of ${plan.nodes.length} nodes has ${formatBytes(bytes)}, and Kubernetes may refuse objects above ${formatBytes(largestObject)}; take propagation: sequential or dense, or fewer shards`,
    );
  }
  reporter.stop();
  if (output === undefined) return printText(text);
  await writeTarget(output, text, force);
  const next = engine === "snakemake" ? `snakemake --cores ${plan.threads} --snakefile` : "argo submit";
  return printText(quiet ? `${output}\n` : `${plan.nodes.length} nodes in ${output}\nnext: ${next} ${shellWord(output)}\n`);
}
