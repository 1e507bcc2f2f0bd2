import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  ArtifactStore,
  followLinks,
  requireNotRead,
  RunManifest,
  withLock,
  writeArtifact,
  writeAtomically,
} from "@mbs/artifacts";
import { availableProcessors, createObjectPool, firstOutput, optionFlag, splitKept } from "@mbs/contracts";
import type { ObjectPool, Progress, StageOptions } from "@mbs/contracts";
import { checkDisk, diskNeed } from "../estimate/disk.ts";
import { Engine } from "./engine.ts";
import type { NodeReport } from "./engine.ts";
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
import { settleThreads } from "./run-threads.ts";
import { stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";

export interface RunOptions {
  readonly stages: Stages;
  /**
   * Threads for native code; with another number results may differ in the last bits, so a run goes on with the number that it
   * began with. Absent: that number, or the processors that are available.
   */
  readonly threads?: number | undefined;
  /** Bytes for what later stages need. No result depends on it. Absent: by the memory of the machine. */
  readonly memory?: number | undefined;
  readonly signal: AbortSignal;
  readonly progress?: (progress: Progress) => void;
  readonly warn?: (message: string) => void;
  /** Called with a line on values that the recipe leaves to the solver and the format. */
  readonly note?: (message: string) => void;
  /** Called once for every node, in order, when it is done or was done by an earlier run. */
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

async function execute(
  recipe: Recipe,
  plan: Plan,
  folder: RunFolder,
  resources: Resources,
  options: RunOptions & { readonly threads: number; readonly pool: ObjectPool },
): Promise<RunResult> {
  const { stages, threads, pool, signal } = options;
  const nodes: NodeReport[] = [];
  const store = new ArtifactStore(folder.artifacts, {
    remedy: "delete it and run again",
    memory: splitKept(options.memory).artifacts,
  });
  const manifest = await RunManifest.open(folder.manifest);
  const engine = new Engine(plan, {
    stages,
    folder,
    store,
    manifest,
    resources,
    context: { signal, threads, pool, progress: options.progress ?? (() => {}), warn: options.warn ?? (() => {}) },
    keep: recipe.keep,
    onNode: (report) => {
      nodes.push(report);
      options.onNode?.(report);
    },
  });
  const addresses = await engine.run();
  // checked again: the folder was claimed long ago
  await requireOwnResults(folder, manifest);
  for (const { id, result } of plan.nodes) {
    const address = addresses.get(id);
    if (result === undefined || address === undefined) continue;
    await writeArtifact(await store.open(address), join(folder.root, result), { force: true, signal });
  }
  const record = await recordRun(recipe, plan, nodes, resources, threads);
  await writeAtomically(folder.recipe, [Buffer.from(record)], { force: true });
  if (recipe.assemble["card"] !== false) {
    const scores = recipe.evaluate === undefined ? undefined : folder.scores;
    await options.describe?.({ model: folder.model, scores, recipe: folder.recipe });
  }
  return { folder, nodes };
}

/**
 * Runs a recipe in this process and resumes where an earlier run of it ended.
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
      await recordRevisions(folder, { ...revisions, ...(await resources.revisions()) });
      const available = availableProcessors();
      const threads = await settleThreads(folder, options.threads, available);
      await checkDisk(folder.root, diskNeed(ordered, shape));
      const note = noteChosen(recipe, ordered);
      if (note !== undefined) options.note?.(note);
      if (options.threads === undefined && threads !== available)
        options.note?.(`takes ${threads} threads, with which the run began, where this machine would choose ${available}`);
      return execute(ordered, plan, folder, resources, { ...options, stages, threads, pool });
    });
  } finally {
    await pool.close();
  }
}
