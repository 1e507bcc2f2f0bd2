import { dirname, join } from "node:path";
import { followLinks, makeFolder, requireNotRead, withLock, writeArtifact, writeAtomically } from "@mbs/artifacts";
import { createObjectPool, optionFlag, splitKept } from "@mbs/contracts";
import type { ObjectPool } from "@mbs/contracts";
import { excludedByBlocks, solverOptions } from "@mbs/solvers";
import { checkDisk, diskNeed } from "../estimate/disk.ts";
import { expectTime } from "../estimate/expect-time.ts";
import { noteKept } from "../plan/kept-languages.ts";
import type { Plan } from "../plan/nodes/plan-node.ts";
import { prepareRun } from "../plan/prepared-run.ts";
import type { PreparedRun } from "../plan/prepared-run.ts";
import type { QualityResult } from "../quality/choose-best.ts";
import { prepareSearch, search, withSearch } from "../quality/search.ts";
import { allocatesBits, allocatesTypes } from "../recipe/decided-recipe.ts";
import type { DecidedRecipe, RunRecipe } from "../recipe/decided-recipe.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { claimFolder } from "./claim-folder.ts";
import type { Executor, ExecutorOptions } from "./executor.ts";
import type { NodeReport } from "./engine.ts";
import { makeFirstModels } from "./first-models.ts";
import { LocalExecutor } from "./local-executor.ts";
import { requireOwnResults } from "./own-files.ts";
import { runFolder, writtenPaths } from "./run-folder.ts";
import type { RunFolder } from "./run-folder.ts";
import { identifyRun } from "./run-identity.ts";
import type { RunOptions } from "./run-options.ts";
import { runPlan } from "./run-plan.ts";
import type { Execution } from "./run-plan.ts";
import { recordRun } from "./run-record.ts";
import { readRevisions, recordRevisions } from "./run-revisions.ts";
import { StatusRecord } from "./run-status.ts";
import type { ExpectedTime } from "./time-left.ts";

export interface RunResult {
  readonly folder: RunFolder;
  readonly nodes: readonly NodeReport[];
  /** What the search has found, where there was one. */
  readonly quality?: QualityResult;
}

/**
 * One line with the options that solver and format have chosen, but for flags that are off, and how sparsity is spread where the
 * solver chose that; undefined where the recipe gives all.
 */
function noteChosen(given: Recipe, recipe: DecidedRecipe): string | undefined {
  const {
    compress,
    assemble,
    decisions: { solver },
  } = recipe;
  const options = solverOptions(solver);
  const byTypes = allocatesTypes(recipe) ? excludedByBlocks(solver) : [];
  const excluded = new Set([...byTypes, ...Object.keys(compress).flatMap((name) => options[name]?.excludes ?? [])]);
  const defaults = Object.entries(options).flatMap(([name, { default: value }]) =>
    value === undefined || value === false || excluded.has(name) ? [] : [[name, value] as const],
  );
  const chosen = Object.entries({ ...Object.fromEntries(defaults), ...compress }).filter(
    ([name]) => given.compress[name] === undefined && Object.hasOwn(options, name) && !(name === "bits" && allocatesBits(recipe)),
  );
  const words = chosen.map(([name, value]) => `${optionFlag(name).slice(2)}: ${String(value)}`);
  const method = given.allocate === undefined ? recipe.allocate?.["method"] : undefined;
  const taken = [
    ...(words.length > 0 ? [`compress takes ${words.join(", ")}`] : []),
    ...(typeof method === "string" ? [`allocate takes method: ${method}`] : []),
  ];
  if (taken.length === 0) return undefined;
  const format = typeof assemble["format"] === "string" ? ` and format ${assemble["format"]}` : "";
  return `${taken.join(" and ")}, which the recipe leaves to solver ${String(compress["solver"])}${format}`;
}

/** Runs a recipe, and writes its results. */
async function execute(prepared: PreparedRun, options: Execution & { readonly status: StatusRecord }): Promise<RunResult> {
  const { recipe, plan, resources } = prepared;
  const { folder, machine, signal } = options;
  const { addresses, nodes, manifest, local } = await runPlan(prepared, () => recipe.keep, options);
  // checked again: the folder was claimed long ago
  await requireOwnResults(folder, manifest);
  for (const { id, result } of plan.nodes) {
    const address = addresses.get(id);
    if (result === undefined || address === undefined) continue;
    await writeArtifact(await local.open(address), join(folder.root, result), { force: true, signal });
  }
  const record = await recordRun(recipe, plan, nodes, resources, machine);
  await writeAtomically(folder.recipe, [Buffer.from(record)], { force: true });
  if (recipe.assemble["card"] !== false) {
    const scores = recipe.evaluate === undefined ? undefined : folder.scores;
    await options.describe?.({ model: folder.model, scores, recipe: folder.recipe });
  }
  return { folder, nodes };
}

/** Who runs the nodes. */
async function openExecutor(
  { stages, queue, workers, threads, device, memory, signal, warn = () => {}, note = () => {} }: RunOptions,
  plan: Plan,
  pool: ObjectPool,
): Promise<Executor> {
  const options: ExecutorOptions = { threads, device, memory, pool, signal, warn, note };
  const local = new LocalExecutor(workers, options);
  if (queue === undefined) return local;
  // its libraries are loaded where they are used alone
  const { QueueExecutor } = await import("./queue/queue-executor.ts");
  return QueueExecutor.open(queue, options, local, { plan, stages });
}

/**
 * Runs a recipe, in this process or on workers, and resumes where an earlier run of it ended.
 *
 * @throws as prepareRun, on a recipe that cannot be run
 * @throws {UsageError} when the output would replace something that is read
 * @throws {DeniedError} when the output is occupied, or holds a run with another number of threads than the one given
 * @throws {BadDataError} when results in it, or what a run notes of itself, are not as a run wrote them
 * @throws {TryAgainError} when another process works on the output
 * @throws {InputOutputError} when the disk is too small
 * @throws {InterruptedError} when the signal fires; all finished nodes are kept
 */
export async function run(recipe: Recipe, options: RunOptions): Promise<RunResult> {
  const { force = false, progress = () => {} } = options;
  const pool = createObjectPool(splitKept(options.memory).pool);
  try {
    const revisions = force ? {} : await readRevisions(runFolder(recipe.output));
    const prepare = (given: RunRecipe): Promise<PreparedRun> => prepareRun(given, options.stages, { revisions, progress, pool });
    const given = await prepare(recipe);
    const { reads } = given;
    const { stages, signal, threads, judge, warn = () => {}, note } = options;
    const chosen = await makeFirstModels(recipe, { stages, signal, threads, force, progress, warn, note, pool });
    const prepared = chosen === recipe ? given : await prepare(chosen);
    const { recipe: ordered, shape, plan, resources } = prepared;
    const searched = judge === undefined ? undefined : await prepareSearch(chosen, prepare, options);
    const folder = runFolder(
      ordered.output,
      plan.nodes.flatMap(({ result }) => result ?? []),
    );
    const [candidate] = searched?.candidates ?? [];
    await requireNotRead(writtenPaths(folder), [...reads, ...(candidate?.trial.reads ?? [])]);
    await makeFolder(dirname(await followLinks(ordered.output)));
    return await withLock(ordered.output, async () => {
      const identity = await identifyRun(prepared);
      await claimFolder(folder, searched === undefined ? identity : withSearch(identity, searched), { force, warn });
      const found = { ...revisions, ...(await given.resources.revisions()), ...(await resources.revisions()) };
      await recordRevisions(folder, found);
      const executor = await openExecutor(options, plan, pool);
      try {
        const machine = await executor.machineOf(folder, ordered.shards);
        const need = diskNeed(ordered, shape);
        // the layers of the best candidate wait while those of the next one are made
        await checkDisk(folder.root, searched === undefined ? need : { ...need, peak: need.peak + need.layers });
        for (const note of [noteChosen(recipe, ordered), noteKept(recipe, ordered)]) {
          if (note !== undefined) options.note?.(note);
        }
        const unsaid = options.anySize === true ? prepared.size?.notSmaller : undefined;
        for (const warning of prepared.warnings) if (warning !== unsaid) warn(warning);
        const execution = { ...options, folder, machine, revisions: found, executor };
        const best = judge === undefined || searched === undefined ? undefined : await search(searched, judge, execution);
        const final = best === undefined ? prepared : await prepare(best.best.recipe);
        const expect = (): Promise<ExpectedTime> => expectTime(final, options.following ?? [], { stages, machine, signal });
        const status = new StatusRecord(folder, final.plan, machine, () => executor.traffic(), expect);
        const result = await status.during(() => execute(final, { ...execution, status }));
        return { ...result, ...(best !== undefined && { quality: best.result }) };
      } finally {
        await executor.close();
      }
    });
  } finally {
    await pool.close();
  }
}
