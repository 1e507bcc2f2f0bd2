import { createObjectPool, splitKept } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Stages } from "../plan/known-stages.ts";
import { prepareRun } from "../plan/prepared-run.ts";
import type { PreparedRun } from "../plan/prepared-run.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { runFolder } from "../run/run-folder.ts";
import type { RunMachine } from "../run/run-machine.ts";
import { readRevisions } from "../run/run-revisions.ts";
import type { ExpectedTime } from "../run/time-left.ts";
import { boundedSize } from "./disk.ts";
import { costsOfRun, knowRun, partsOfRun, totalOf } from "./known-run.ts";
import type { KnownRun } from "./known-run.ts";
import { secondsOf } from "./node-costs.ts";
import { knownRates } from "./rates.ts";

interface Context {
  readonly stages: Stages;
  readonly machine: RunMachine;
  readonly signal: AbortSignal;
}

/** Assumed seconds of drawing a sample. */
const drawing = 2;

async function know<Result>(prepared: PreparedRun, { stages, machine, signal }: Context, use: (run: KnownRun) => Result) {
  const { recipe } = prepared;
  const model = await openModel(recipe.model);
  try {
    const sample = { ...boundedSize(recipe, model), seconds: drawing };
    // a graphics processor shows in what the nodes take
    const given = { prepared, model, sample, machine, graphics: undefined };
    return use(await knowRun(given, knownRates, { stages, signal, progress: () => undefined }));
  } finally {
    await model.close();
  }
}

/** Seconds of a recipe that is run later. */
async function secondsOfLater(given: Recipe, context: Context): Promise<number> {
  const pool = createObjectPool(splitKept(undefined).pool);
  try {
    const revisions = await readRevisions(runFolder(given.output));
    const prepared = await prepareRun(given, context.stages, { revisions, pool });
    return await know(prepared, context, (run) => totalOf(partsOfRun(run)));
  } finally {
    await pool.close();
  }
}

/**
 * What a run will take, and what is run after it: by the rates of this machine that are known, for a time left. Nothing is measured,
 * and no segment is drawn.
 */
export async function expectTime(prepared: PreparedRun, following: readonly Recipe[], context: Context): Promise<ExpectedTime> {
  const nodes = await know(
    prepared,
    context,
    (run) => new Map([...costsOfRun(run)].map(([id, costs]) => [id, costs && secondsOf(costs)])),
  );
  let later = 0;
  for (const recipe of following) later += await secondsOfLater(recipe, context);
  return { nodes, following: later };
}
