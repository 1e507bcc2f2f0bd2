import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { followLinks, requireNotRead, RunManifest, withLock, writeArtifact, writeAtomically } from "@mbs/artifacts";
import { createObjectPool, firstOutput, optionFlag, splitKept } from "@mbs/contracts";
import type { ObjectPool, Progress, StageOptions } from "@mbs/contracts";
import type { Revisions } from "@mbs/hub";
import { checkDisk, diskNeed } from "../estimate/disk.ts";
import type { Crew, CrewOptions } from "./crew.ts";
import { Engine } from "./engine.ts";
import type { NodeReport } from "./engine.ts";
import { LocalCrew } from "./local-crew.ts";
import type { WorkerChoice } from "./local-crew.ts";
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
import { rotateFirst } from "./rotated-model.ts";
import { recordRun } from "./run-record.ts";
import { readRevisions, recordRevisions } from "./run-revisions.ts";
import { StatusRecord } from "./run-status.ts";
import type { QueueChoice } from "./queue/queue-crew.ts";
import type { RunMachine } from "./run-machine.ts";
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
  readonly revisions: Revisions;
  readonly status: StatusRecord;
  readonly crew: Crew;
}

async function execute(
  recipe: Recipe,
  plan: Plan,
  folder: RunFolder,
  resources: Resources,
  options: Execution,
): Promise<RunResult> {
  const { stages, machine, signal, status, crew, revisions } = options;
  const { threads } = machine;
  const reports = new Map<string, NodeReport>();
  const manifest = await RunManifest.open(folder.manifest);
  const { local, artifacts, ...hands } = await crew.begin({ stages, plan, folder, resources, machine, revisions });
  const engine = new Engine(plan, {
    ...hands,
    stages,
    folder,
    store: artifacts,
    manifest,
    resources,
    context: { signal, threads, progress: options.progress ?? (() => {}), warn: options.warn ?? (() => {}) },
    keep: recipe.keep,
    onNode: (report) => {
      reports.set(report.id, report);
      status.done(report);
      options.onNode?.(report);
    },
    onStart: (node, worker) => status.started(node, worker),
    onRetry: (node) => status.waits(node),
  });
  const addresses = await engine.run();
  await crew.finish(addresses);
  // checked again: the folder was claimed long ago
  await requireOwnResults(folder, manifest);
  for (const { id, result } of plan.nodes) {
    const address = addresses.get(id);
    if (result === undefined || address === undefined) continue;
    await writeArtifact(await local.open(address), join(folder.root, result), { force: true, signal });
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

/** Who runs the nodes. */
async function openCrew(
  { queue, workers, threads, memory, signal, warn = () => {}, note = () => {} }: RunOptions,
  pool: ObjectPool,
): Promise<Crew> {
  const options: CrewOptions = { threads, memory, pool, signal, warn, note };
  const local = new LocalCrew(workers, options);
  if (queue === undefined) return local;
  // its libraries are loaded where they are used alone
  const { QueueCrew } = await import("./queue/queue-crew.ts");
  return QueueCrew.open(queue, options, local);
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
    const given = await prepare(recipe);
    const { reads } = given;
    const { stages: known, signal, threads, warn = () => {} } = options;
    const chosen =
      recipe.rotate === undefined
        ? recipe
        : await rotateFirst(recipe, { stages: known, signal, threads, force, progress, warn, pool });
    const prepared = chosen === recipe ? given : await prepare(chosen);
    const { recipe: ordered, stages, shape, plan, resources } = prepared;
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
          formerDefault: async () => identifyRun(await prepare({ ...chosen, propagation: "sequential" })),
        }),
      });
      const found = { ...revisions, ...(await given.resources.revisions()), ...(await resources.revisions()) };
      await recordRevisions(folder, found);
      const crew = await openCrew(options, pool);
      try {
        const machine = await crew.settle(folder, ordered.shards);
        await checkDisk(folder.root, diskNeed(ordered, shape));
        const note = noteChosen(recipe, ordered);
        if (note !== undefined) options.note?.(note);
        const status = new StatusRecord(folder, plan, machine, () => crew.traffic());
        return await status.during(() =>
          execute(ordered, plan, folder, resources, { ...options, stages, machine, revisions: found, status, crew }),
        );
      } finally {
        await crew.close();
      }
    });
  } finally {
    await pool.close();
  }
}
