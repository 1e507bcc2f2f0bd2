import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  ArtifactStore,
  followLinks,
  requireNotRead,
  RunManifest,
  withLock,
  writeArtifact,
  writeAtomically,
} from "@mbs/artifacts";
import { availableProcessors, createObjectPool, defaultKept, firstOutput, optionFlag, splitKept } from "@mbs/contracts";
import type { ObjectPool, Progress, Stage, StageOptions } from "@mbs/contracts";
import type { Revisions } from "@mbs/hub";
import { checkDisk, diskNeed } from "../estimate/disk.ts";
import { Engine } from "./engine.ts";
import type { NodeReport, RunArtifacts } from "./engine.ts";
import { requireOwnResults } from "./own-files.ts";
import type { Plan, PlanNode } from "../plan/plan.ts";
import { prepareRun } from "../plan/prepared-run.ts";
import type { PreparedRun } from "../plan/prepared-run.ts";
import { propagations } from "../recipe/recipe-keys.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { textAddress } from "../resources/resources.ts";
import type { Resources } from "../resources/resources.ts";
import { claimFolder } from "./claim-folder.ts";
import type { RunIdentity } from "./claim-folder.ts";
import { runFolder, writtenPaths } from "./run-folder.ts";
import type { RunFolder } from "./run-folder.ts";
import { recordRun } from "./run-record.ts";
import { readRevisions, recordRevisions } from "./run-revisions.ts";
import { StatusRecord } from "./run-status.ts";
import type { OpenQueue, QueueChoice } from "./queue/open-queue.ts";
import type { SharedArtifacts } from "./queue/shared-artifacts.ts";
import { adviseShards, chooseMachine, readMachine, settleMachine } from "./run-machine.ts";
import type { RunMachine } from "./run-machine.ts";
import { OwnWorker } from "./node-worker.ts";
import type { NodeWorker } from "./node-worker.ts";
import { ChildWorker } from "./workers/child-worker.ts";
import { stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";

export interface RunOptions {
  readonly stages: Stages;
  /**
   * Threads for native code; with another number results may differ in the last bits, so a run goes on with the number that it
   * began with. Absent: that number, or the processors that are available.
   */
  readonly threads?: number | undefined;
  /** Bytes for what later stages need, of all workers together. No result depends on it. Absent: by the memory of the machine. */
  readonly memory?: number | undefined;
  /** Processes that run the nodes; absent: this process runs them, one after the other. */
  readonly workers?: WorkerChoice | undefined;
  /** Workers on other machines, by a queue; `workers` then says how this machine runs what they cannot run, in one process. */
  readonly queue?: QueueChoice | undefined;
  readonly signal: AbortSignal;
  readonly progress?: (progress: Progress) => void;
  readonly warn?: (message: string) => void;
  /** Called with a line on values that the recipe leaves to the solver and the format. */
  readonly note?: (message: string) => void;
  /**
   * Called for every node when it is done or was done by an earlier run; of several workers, in the order in which they end. A node
   * whose output is lost with a worker is made, and reported, once more.
   */
  readonly onNode?: (report: NodeReport) => void;
  /**
   * Writes the model's card at the end of the run, from paths; not called where the recipe has `assemble: { card: false }`.
   *
   * @param made scores are absent where the recipe evaluates nothing
   */
  readonly describe?: (made: { model: string; scores: string | undefined; recipe: string }) => Promise<void>;
  /** Start over, replacing what an earlier run has left in the output folder. */
  readonly force?: boolean;
}

export interface WorkerChoice {
  /** How many; no result depends on it. Absent: the number that the run began with, or one for each shard, at most one for each processor. */
  readonly count?: number | undefined;
  /** The program and arguments that start one, which calls `serveWorker`. */
  readonly command: readonly string[];
  /** Milliseconds that a node may take. */
  readonly nodeLimit?: number | undefined;
  /** Milliseconds that a node has to stop by itself when it is told to; default 10 000. */
  readonly stopGrace?: number;
}

export interface RunResult {
  readonly folder: RunFolder;
  readonly nodes: readonly NodeReport[];
}

/** A node with its options as they count: every path replaced by the address of its content. */
interface ResolvedNode {
  readonly node: PlanNode;
  readonly options: StageOptions;
}

/** Hash of all that some nodes depend on, but for the threads. */
const identify = (resolved: readonly ResolvedNode[]): string =>
  textAddress(JSON.stringify(resolved.map(({ node, options }) => [node.id, options])));

/** Hash of the values of each option of some nodes, by key of the recipe and option: "compress.solver". */
function optionHashes(resolved: readonly ResolvedNode[]): ReadonlyMap<string, string> {
  const values = new Map<string, Set<string>>();
  for (const { node, options } of resolved) {
    for (const [option, value] of Object.entries(options)) {
      const name = [...node.section, optionFlag(option).slice(2)].join(".");
      values.set(name, (values.get(name) ?? new Set()).add(JSON.stringify(value)));
    }
  }
  return new Map([...values].map(([name, found]) => [name, textAddress([...found].join("\n"))]));
}

/** The identity of a folder: its layers, and the model made of them. Nodes after the model may change. */
async function identifyRun({ recipe, plan: { nodes }, stages, resources }: PreparedRun): Promise<RunIdentity> {
  const model = nodes.filter(({ stage }) => firstOutput(stageOf(stages, stage)).folder === true);
  const layers = nodes.filter((node) => !model.includes(node) && !model.some(({ id }) => node.after.includes(id)));
  const resolve = (chosen: readonly PlanNode[]): Promise<ResolvedNode[]> =>
    Promise.all(
      chosen.map(async (node) => ({
        node,
        options: await resources.resolve(stageOf(stages, node.stage).options, node.options),
      })),
    );
  const resolved = await resolve(layers);
  const options = new Map([
    ...optionHashes(resolved),
    ["propagation", textAddress(recipe.propagation)],
    ["shards", textAddress(String(recipe.shards))],
  ]);
  return { layers: identify(resolved), model: identify(await resolve(model)), options };
}

/** One line with the options that solver and format have chosen; undefined where the recipe gives all. */
function noteChosen(given: Recipe, { compress, assemble }: Recipe): string | undefined {
  const chosen = Object.entries(compress).filter(([name]) => given.compress[name] === undefined);
  const words = chosen.map(([name, value]) => `${optionFlag(name).slice(2)}: ${String(value)}`);
  if (chosen.length === 0) return undefined;
  const format = typeof assemble["format"] === "string" ? ` and format ${assemble["format"]}` : "";
  return `compress takes ${words.join(", ")}, which the recipe leaves to solver ${String(compress["solver"])}${format}`;
}

interface Execution extends RunOptions {
  readonly machine: RunMachine;
  readonly pool: ObjectPool;
  readonly revisions: Revisions;
  readonly status: StatusRecord;
  readonly opened: OpenQueue | undefined;
}

/** Who runs a run's nodes, and what the engine sees of its artifacts. */
interface Workers {
  readonly workers: readonly NodeWorker[];
  readonly artifacts: RunArtifacts;
  /** Where some of them are in a store. */
  readonly shared?: SharedArtifacts;
}

/** The workers of a run on this machine: processes of their own, or this one. */
async function openWorkers(
  folder: RunFolder,
  store: ArtifactStore,
  { stages, workers, machine, memory = defaultKept(), pool, revisions }: Execution,
): Promise<readonly [NodeWorker, ...NodeWorker[]]> {
  const { threads } = machine;
  if (workers === undefined) {
    const stage = async (name: string): Promise<Stage> => stageOf(stages, name);
    return [new OwnWorker({ folder, store, stage, threads, pool })];
  }
  // the workers have pools of their own
  await pool.close();
  const results = folder.results.map((path) => basename(path));
  const setting = { root: folder.root, results, threads, memory: Math.floor(memory / machine.workers), revisions };
  const child = (index: number): NodeWorker => new ChildWorker({ ...workers, name: `worker ${index + 1}`, setting });
  return [child(0), ...Array.from({ length: machine.workers - 1 }, (_, index) => child(index + 1))];
}

/** The workers of a run, wherever they are. */
async function gatherWorkers(
  folder: RunFolder,
  plan: Plan,
  local: ArtifactStore,
  resources: Resources,
  options: Execution,
): Promise<Workers> {
  const { stages, opened, machine } = options;
  const own = await openWorkers(folder, local, options);
  const { threads, processors, name } = machine;
  if (opened === undefined || processors === undefined || name === undefined) return { workers: own, artifacts: local };
  const [home] = own;
  const output = folder.root;
  const { workers, artifacts } = await opened.begin({ stages, plan, resources, local, threads, processors, name, output, home });
  return { workers, artifacts, shared: artifacts };
}

/** Brings what the run's folder has without a queue, too, and then gives up what the run had in the store. */
async function bringHome(
  shared: SharedArtifacts,
  plan: Plan,
  stages: Stages,
  addresses: ReadonlyMap<string, string>,
): Promise<void> {
  const kept = plan.nodes.filter(({ stage }) => {
    const { intermediate = false, folder = false } = firstOutput(stageOf(stages, stage));
    return !intermediate && !folder;
  });
  await shared.bring(kept.flatMap(({ id }) => addresses.get(id) ?? []));
  await shared.release();
}

async function execute(
  recipe: Recipe,
  plan: Plan,
  folder: RunFolder,
  resources: Resources,
  options: Execution,
): Promise<RunResult> {
  const { stages, machine, signal, status } = options;
  const { threads } = machine;
  const reports = new Map<string, NodeReport>();
  const isOwn = options.workers === undefined;
  const store = new ArtifactStore(folder.artifacts, {
    remedy: "delete it and run again",
    memory: isOwn ? splitKept(options.memory).artifacts : 0,
  });
  const manifest = await RunManifest.open(folder.manifest);
  const { workers, artifacts, shared } = await gatherWorkers(folder, plan, store, resources, options);
  const { processors } = machine;
  const engine = new Engine(plan, {
    stages,
    folder,
    store: artifacts,
    manifest,
    resources,
    workers,
    context: { signal, threads, progress: options.progress ?? (() => {}), warn: options.warn ?? (() => {}) },
    keep: recipe.keep,
    ...(processors !== undefined && {
      processorClass: (await import("./queue/open-queue.ts")).nodeClasses(plan, stages, processors).processorClass,
    }),
    onNode: (report) => {
      reports.set(report.id, report);
      status.done(report);
      options.onNode?.(report);
    },
    onStart: (node, worker) => status.started(node, worker),
    onRetry: (node) => status.waits(node),
  });
  const addresses = await engine.run().finally(() => Promise.all(workers.map((worker) => worker.close())));
  if (shared !== undefined) await bringHome(shared, plan, stages, addresses);
  // checked again: the folder was claimed long ago
  await requireOwnResults(folder, manifest);
  for (const { id, result } of plan.nodes) {
    const address = addresses.get(id);
    if (result === undefined || address === undefined) continue;
    await writeArtifact(await store.open(address), join(folder.root, result), { force: true, signal });
  }
  // in the order of the plan, whichever was done first
  const nodes = plan.nodes.flatMap(({ id }) => reports.get(id) ?? []);
  const record = await recordRun(recipe, plan, nodes, resources, machine);
  await writeAtomically(folder.recipe, [Buffer.from(record)], { force: true });
  if (recipe.assemble["card"] !== false) {
    const scores = recipe.evaluate === undefined ? undefined : folder.scores;
    await options.describe?.({ model: folder.model, scores, recipe: folder.recipe });
  }
  return { folder, nodes };
}

async function openQueue({ queue, signal, warn = () => {} }: RunOptions): Promise<OpenQueue | undefined> {
  // its libraries are loaded where they are used alone
  return queue === undefined ? undefined : (await import("./queue/open-queue.ts")).OpenQueue.open(queue, { signal, warn });
}

/** The threads, workers and class of processors that the run takes, which it says where they are not those of this machine. */
async function findMachine(
  folder: RunFolder,
  { shards }: Recipe,
  { threads, workers, note }: RunOptions,
  opened: OpenQueue | undefined,
): Promise<RunMachine> {
  const known = (await readMachine(folder))?.processors;
  if (opened !== undefined) {
    const queued = await opened.chooseMachine(known);
    const chosen = { threads: queued.threads ?? availableProcessors(), workers: 1 };
    const settled = await settleMachine(folder, { threads, processors: queued.processors }, chosen);
    note?.(`takes workers of class ${queued.processors}, with ${settled.threads} threads each`);
    return settled;
  }
  const processors = known === undefined ? undefined : (await import("./queue/processor-class.ts")).processorClass();
  const chosen = chooseMachine(availableProcessors(), workers === undefined ? 1 : shards, workers?.count);
  const settled = await settleMachine(folder, { threads, workers: workers?.count, processors }, chosen);
  if (threads === undefined && settled.threads !== chosen.threads) {
    note?.(`takes ${settled.threads} threads, with which the run began, where this machine would choose ${chosen.threads}`);
  }
  const advice = workers && adviseShards(settled, shards, availableProcessors());
  if (advice !== undefined) note?.(advice);
  return settled;
}

/**
 * Runs a recipe, in this process or on workers, and resumes where an earlier run of it ended.
 *
 * @throws as prepareRun, on a recipe that cannot be run
 * @throws {UsageError} when the output would replace something that is read
 * @throws {DeniedError} when the output is occupied, or holds a run with another number of threads than the one given
 * @throws {TryAgainError} when another process works on the output
 * @throws {InputOutputError} when the disk is too small
 * @throws {InterruptedError} when the signal fires; all finished nodes are kept
 */
export async function run(recipe: Recipe, options: RunOptions): Promise<RunResult> {
  const { force = false, progress = () => {} } = options;
  const pool = createObjectPool(splitKept(options.memory).pool);
  try {
    const revisions = force ? {} : await readRevisions(runFolder(recipe.output));
    const prepare = (given: Recipe): Promise<PreparedRun> => prepareRun(given, options.stages, { revisions, progress, pool });
    const prepared = await prepare(recipe);
    const { recipe: ordered, stages, shape, plan, resources, reads } = prepared;
    const folder = runFolder(
      ordered.output,
      plan.nodes.flatMap(({ result }) => result ?? []),
    );
    await requireNotRead(writtenPaths(folder), reads);
    await mkdir(dirname(await followLinks(ordered.output)), { recursive: true });
    return await withLock(ordered.output, async () => {
      await claimFolder(folder, await identifyRun(prepared), {
        force,
        ...(recipe.propagation === propagations[0] && {
          formerDefault: async () => identifyRun(await prepare({ ...recipe, propagation: "sequential" })),
        }),
      });
      const found = { ...revisions, ...(await resources.revisions()) };
      await recordRevisions(folder, found);
      const opened = await openQueue(options);
      try {
        const machine = await findMachine(folder, ordered, options, opened);
        await checkDisk(folder.root, diskNeed(ordered, shape));
        const note = noteChosen(recipe, ordered);
        if (note !== undefined) options.note?.(note);
        const status = new StatusRecord(folder, plan, machine);
        return await status.during(() =>
          execute(ordered, plan, folder, resources, { ...options, stages, machine, pool, revisions: found, opened, status }),
        );
      } finally {
        await opened?.close();
      }
    });
  } finally {
    await pool.close();
  }
}
