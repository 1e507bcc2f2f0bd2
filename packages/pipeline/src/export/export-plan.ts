import { join, resolve } from "node:path";
import {
  availableProcessors,
  createObjectPool,
  firstOutput,
  isCodePath,
  optionTable,
  splitKept,
  UsageError,
} from "@mbs/contracts";
import type { DeviceChoice, Progress, StageOptions } from "@mbs/contracts";
import { stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";
import { isIntermediate } from "../plan/nodes/plan-node.ts";
import type { PlanNode } from "../plan/nodes/plan-node.ts";
import { prepareRun } from "../plan/prepared-run.ts";
import type { PreparedRun } from "../plan/prepared-run.ts";
import { firstKeys } from "../recipe/first-options.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { replayCommand } from "../run/replay-command.ts";
import { runFolder } from "../run/run-folder.ts";
import { chooseMachine, readMachine } from "../run/run-machine.ts";
import type { RunMachine } from "../run/run-machine.ts";
import { readRevisions } from "../run/run-revisions.ts";
import { uniqueNames } from "./unique-names.ts";

/** A node of a plan as another engine runs it. */
export interface ExportedNode {
  readonly id: string;
  /** One line for a POSIX shell, to be run in `folder` of the plan. */
  readonly command: string;
  /** Ids of the nodes that must have ended. */
  readonly before: readonly string[];
  /** Ids of those whose outputs it reads. */
  readonly reads: readonly string[];
  /** What it writes, relative to the output folder. */
  readonly path: string;
  /** Whether it writes a folder. */
  readonly isFolder: boolean;
  /** Whether its output is needed by its readers alone. */
  readonly isTemporary: boolean;
}

/** A plan for an engine that runs shell commands. */
export interface ExportedPlan {
  /** The folder that all commands run in, absolute: relative paths of the recipe start there. */
  readonly folder: string;
  /** The output folder, absolute. */
  readonly output: string;
  /** The same as commands name it. */
  readonly namedOutput: string;
  /** Each after those that it waits for. */
  readonly nodes: readonly ExportedNode[];
  /** Of every node. */
  readonly threads: number;
  /** Absolute paths that the nodes read and do not make. */
  readonly paths: readonly string[];
  /** Names of models and texts on the Hub, with their commits. */
  readonly hub: readonly string[];
  /** Revisions of datasets on the Hub that a manifest names without a commit. */
  readonly loose: readonly string[];
}

export interface ExportOptions {
  readonly stages: Stages;
  /** Of every node. Absent: what the run would take, the number that it began with or what is chosen for this machine. */
  readonly threads?: number | undefined;
  /** Of every node that runs a model. Absent: the same. */
  readonly device?: DeviceChoice | undefined;
  readonly progress?: (progress: Progress) => void;
}

/** Folder in the output for what nodes hand on. */
const artifactFolder = "artifacts";

const isHubName = (value: unknown): boolean => typeof value === "string" && value.startsWith("hf:");

/** The revision of a name on the Hub, as `Revisions` call it: "hf:org/name" → "models/org/name@main". */
function revisionOf(name: string): string {
  const [, repository = "", revision = "main"] = /^hf:([^@?]+)(?:@([^?]+))?/.exec(name) ?? [];
  return `${repository.startsWith("datasets/") ? "" : "models/"}${repository}@${revision}`;
}

/**
 * Options with the commits of what is on the Hub, so that every node reads the same.
 *
 * @param found gets the names: as they are given → with their commits
 */
async function withCommits(node: PlanNode, prepared: PreparedRun, found: Map<string, string>): Promise<StageOptions> {
  const table = await optionTable(stageOf(prepared.stages, node.stage), node.options);
  const entries = Object.entries(node.options).map(async ([name, value]): Promise<[string, unknown]> => {
    const option = table[name];
    if (option?.kind !== "resource") return [name, value];
    const pin = async (one: unknown): Promise<unknown> => {
      if (typeof one !== "string" || !isHubName(one)) return one;
      const pinned = await prepared.resources.pinnedName(option.resource, one);
      found.set(one, pinned);
      return pinned;
    };
    return [name, Array.isArray(value) ? await Promise.all(value.map(pin)) : await pin(value)];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Paths that the options of a node lead to, without what lies in the Hub's cache, and that of its code. */
async function pathsOf(node: PlanNode, { plan, stages, resources }: PreparedRun): Promise<string[]> {
  const table = await optionTable(stageOf(stages, node.stage), node.options);
  const local = Object.entries(node.options).map(([name, value]): [string, unknown] => [
    name,
    Array.isArray(value) ? value.filter((one) => !isHubName(one)) : isHubName(value) ? undefined : value,
  ]);
  const paths = await resources.paths(table, Object.fromEntries(local), plan.modelFolder);
  return isCodePath(node.stage) ? [...paths, node.stage] : paths;
}

/** The files of all outputs, relative to the output folder. */
function outputPaths({ plan, stages }: PreparedRun): ReadonlyMap<string, string> {
  const ids = plan.nodes.map(({ id }) => id);
  // ids hold names of nodes, which an ONNX graph may choose
  const names = uniqueNames(ids, (id) => id.replaceAll(/[^\w.+-]/g, "-"), { longest: 200, separator: "-" });
  return new Map(
    plan.nodes.map(({ id, stage, result }) => {
      if (firstOutput(stageOf(stages, stage)).folder === true) return [id, "model"];
      return [id, result ?? `${artifactFolder}/${names.get(id) ?? id}.arrow`];
    }),
  );
}

async function exportPrepared(
  prepared: PreparedRun,
  { threads, device }: Pick<RunMachine, "threads" | "device">,
): Promise<ExportedPlan> {
  const { recipe, plan, stages, resources } = prepared;
  const paths = outputPaths(prepared);
  const pathOf = (id: string): string => join(recipe.output, paths.get(id) ?? id);
  const read = new Set(plan.nodes.flatMap(({ inputs }) => Object.values(inputs).flat()));
  const hub = new Map<string, string>();
  const nodes: ExportedNode[] = [];
  for (const node of plan.nodes) {
    const { id, inputs, after, result } = node;
    const stage = stageOf(stages, node.stage);
    const { folder: isFolder = false } = firstOutput(stage);
    const options = await withCommits(node, prepared, hub);
    const command = replayCommand(stage, {
      table: await optionTable(stage, options),
      options,
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, ids]) => [name, ids.map(pathOf)])),
      output: pathOf(id),
      threads,
      device: stage.runsModel ? device : undefined,
    });
    const reads = [...new Set(Object.values(inputs).flat())];
    nodes.push({
      id,
      command,
      before: [...new Set([...reads, ...after])],
      reads,
      path: paths.get(id) ?? id,
      isFolder,
      isTemporary: isIntermediate(node, stage) && !recipe.keep && result === undefined && read.has(id),
    });
  }
  const local = await Promise.all(plan.nodes.map((node) => pathsOf(node, prepared)));
  const named = new Set([...hub.keys()].map(revisionOf));
  const loose = Object.keys(await resources.revisions()).filter((revision) => !named.has(revision));
  return {
    folder: process.cwd(),
    output: resolve(recipe.output),
    namedOutput: recipe.output,
    nodes,
    threads,
    paths: [...new Set(local.flat().map((path) => resolve(path)))],
    hub: [...new Set(hub.values())],
    loose,
  };
}

/**
 * The plan of a recipe as shell commands, which give every artifact the address that it has in `mbs run` with as many threads.
 * Nothing is run.
 *
 * @throws as run, for a recipe that cannot be run
 */
export async function exportPlan(given: Recipe, { stages, threads, device, progress }: ExportOptions): Promise<ExportedPlan> {
  const pool = createObjectPool(splitKept(undefined).pool);
  try {
    const first = firstKeys.find((key) => given[key] !== undefined);
    if (first !== undefined) {
      throw new UsageError(
        `${given.locate?.([first]) ?? "recipe"}: ${first} is no node of an exported plan; make the model with mbs ${first}, name it as model, and remove the key`,
        { key: first },
      );
    }
    const folder = runFolder(given.output);
    const revisions = await readRevisions(folder);
    const prepared = await prepareRun(given, stages, { revisions, pool, ...(progress && { progress }) });
    const known = await readMachine(folder);
    const ownThreads = threads ?? known?.threads ?? chooseMachine(availableProcessors(), prepared.recipe.shards).threads;
    const ownDevice = device ?? known?.device ?? "cpu";
    if (ownDevice === "auto") {
      throw new UsageError("run: --device auto measures this machine, and others run an exported plan; give cpu or webgpu", {
        option: "--device",
      });
    }
    return await exportPrepared(prepared, { threads: ownThreads, ...(ownDevice !== "cpu" && { device: ownDevice }) });
  } finally {
    await pool.close();
  }
}
