import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ArtifactStore, RunManifest, withLock, writeArtifact, writeAtomically } from "@mbs/artifacts";
import { openModel } from "@mbs/models";
import type { Progress } from "@mbs/contracts";
import { checkDisk, diskNeed } from "./estimate/disk.ts";
import { Engine } from "./engine.ts";
import type { NodeReport } from "./engine.ts";
import { planRun } from "./plan.ts";
import type { Plan } from "./plan.ts";
import type { Recipe } from "./recipe.ts";
import { Resources, textAddress } from "./resources.ts";
import { claimFolder, runFolder } from "./run-folder.ts";
import type { RunFolder } from "./run-folder.ts";
import { checkPins, recordRun } from "./run-record.ts";
import { withSolverNeeds } from "./solver-needs.ts";
import { completeOptions, stageOf } from "./stage-options.ts";
import type { Stages } from "./stage-options.ts";

export interface RunOptions {
  readonly stages: Stages;
  /** Threads for native code; part of what makes two runs the same. */
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly progress?: (progress: Progress) => void;
  readonly warn?: (message: string) => void;
  /** Called once for every node, in order, when it is done or was done before. */
  readonly onNode?: (report: NodeReport) => void;
  /**
   * Writes the model's card once all is known, by paths: unless the recipe's `assemble` says `card: false`.
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

/** The same plan, its options complete: a typing error shows before anything runs. */
async function completePlan(plan: Plan, recipe: Recipe, stages: Stages): Promise<Plan> {
  const nodes = plan.nodes.map(async (node) => ({
    ...node,
    options: await completeOptions(stageOf(stages, node.stage), node, recipe),
  }));
  return { ...plan, nodes: await Promise.all(nodes) };
}

/** Hash of all that a run depends on but its threads. */
async function identify(plan: Plan, stages: Stages, resources: Resources): Promise<string> {
  const nodes = [];
  for (const node of plan.nodes) {
    // What is evaluated is made by the run itself; only its texts are given.
    const { model, ...options } = node.options;
    const given = typeof model === "string" ? { model, ...options } : options;
    nodes.push([node.id, await resources.resolve(stageOf(stages, node.stage).options, given)]);
  }
  return textAddress(JSON.stringify(nodes));
}

async function execute(
  recipe: Recipe,
  plan: Plan,
  folder: RunFolder,
  resources: Resources,
  options: RunOptions,
): Promise<RunResult> {
  const { stages, threads, signal } = options;
  const nodes: NodeReport[] = [];
  const store = new ArtifactStore(folder.artifacts);
  const engine = new Engine(plan, {
    stages,
    store,
    manifest: await RunManifest.open(folder.manifest),
    resources,
    context: { signal, threads, progress: options.progress ?? (() => {}), warn: options.warn ?? (() => {}) },
    keep: recipe.keep,
    onNode: (report) => {
      nodes.push(report);
      options.onNode?.(report);
    },
  });
  const addresses = await engine.run();
  for (const [id, path] of [
    ["evaluate", folder.scores],
    ["similarity", folder.similarity],
  ] as const) {
    const address = addresses.get(id);
    if (address !== undefined) await writeArtifact(await store.open(address), path, { force: true, signal });
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
 * @throws {UsageError} on a recipe that no stage would take
 * @throws {DeniedError} when the output is occupied
 * @throws {TryAgainError} when another process works on the output
 * @throws {InputOutputError} when the disk has not enough room
 * @throws {InterruptedError} when the signal fires; all finished nodes are kept
 */
export async function run(recipe: Recipe, options: RunOptions): Promise<RunResult> {
  const { stages } = options;
  const ordered = await withSolverNeeds(recipe);
  const folder = runFolder(ordered.output);
  const model = await openModel(ordered.model);
  try {
    const plan = await completePlan(planRun(ordered, model, folder.model), ordered, stages);
    const resources = new Resources();
    resources.set("model", ordered.model, model.address);
    await checkPins(ordered, resources);
    await mkdir(dirname(resolve(ordered.output)), { recursive: true });
    return await withLock(ordered.output, async () => {
      await claimFolder(folder, await identify(plan, stages, resources), options.force ?? false);
      await checkDisk(folder.root, diskNeed(ordered, model));
      return execute(ordered, plan, folder, resources, options);
    });
  } finally {
    await model.close();
  }
}
