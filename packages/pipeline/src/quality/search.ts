import { ArtifactStore, manifestKey } from "@mbs/artifacts";
import { firstOutput, UsageError } from "@mbs/contracts";
import { stageOf } from "../plan/known-stages.ts";
import type { PreparedRun } from "../plan/prepared-run.ts";
import type { RunRecipe } from "../recipe/decided-recipe.ts";
import { textAddress } from "../resources/resources.ts";
import type { RunIdentity } from "../run/claim-folder.ts";
import { identify, resolveNodes } from "../run/run-identity.ts";
import type { RunOptions } from "../run/run-options.ts";
import { runPlan } from "../run/run-plan.ts";
import type { Execution } from "../run/run-plan.ts";
import { StatusRecord } from "../run/run-status.ts";
import { chooseBest } from "./choose-best.ts";
import type { Judge } from "./choose-best.ts";
import { prepareCandidates } from "./prepare-candidates.ts";
import type { PreparedCandidate } from "./prepare-candidates.ts";
import { qualitySettings } from "./quality-options.ts";
import type { QualitySettings } from "./quality-options.ts";
import { QualityRecord } from "./quality-record.ts";
import type { Stages } from "../plan/known-stages.ts";
import type { Plan, PlanNode } from "../plan/nodes/plan-node.ts";

/** Node → what it does, and all that it reads: equal in two plans where its output is the same. */
function workOf({ nodes }: Plan): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  for (const { id, stage, options, inputs } of nodes) {
    const read = Object.entries(inputs).map(([name, ids]) => [name, ids.map((input) => keys.get(input) ?? "")]);
    keys.set(id, manifestKey(stage, options, Object.fromEntries(read) as Record<string, string[]>));
  }
  return keys;
}

/**
 * The nodes of a plan whose outputs later plans read too: with dense propagation the statistics of all sites, which take the most
 * time. States are none of them: those of all blocks would take far more disk than their time is worth.
 *
 * @returns ids
 */
export function sharedNodes(plan: Plan, later: readonly Plan[], stages: Stages): ReadonlySet<string> {
  const others = new Set(later.flatMap((other) => [...workOf(other).values()]));
  const own = workOf(plan);
  const isShared = ({ id, stage }: PlanNode): boolean =>
    others.has(own.get(id) ?? "") && firstOutput(stageOf(stages, stage)).kind !== "states";
  return new Set(plan.nodes.filter(isShared).map(({ id }) => id));
}

/** A search for the best of several compressions. */
export interface Search {
  readonly settings: QualitySettings;
  readonly candidates: readonly PreparedCandidate[];
}

/** The identity of a folder in which a search is made: also that of its validation texts. */
export function withSearch(identity: RunIdentity, { candidates: [first] }: Search): RunIdentity {
  const key = first?.key ?? "";
  return {
    ...identity,
    layers: textAddress(`${identity.layers}\n${key}`),
    options: new Map([...identity.options, ["quality", key]]),
  };
}

/** Tries all candidates in the folder of the run. The model of the last one stays where the best one's will be written. */
export async function search(
  { settings, candidates }: Search,
  judge: Judge,
  options: Execution,
): Promise<Awaited<ReturnType<typeof chooseBest>>> {
  const { folder, machine, executor, progress = () => {}, note = () => {} } = options;
  const store = new ArtifactStore(folder.artifacts);
  return chooseBest(candidates, {
    settings,
    record: await QualityRecord.open(folder.quality),
    judge,
    note,
    open: (address) => store.open(address),
    async drop(addresses) {
      for (const address of addresses) store.remove(address);
      await store.flush();
    },
    async attempt({ trial }, place, later, onTime) {
      const { plan, stages } = trial;
      const shared = sharedNodes(
        plan,
        later.map((other) => other.trial.plan),
        stages,
      );
      const status = new StatusRecord(folder, plan, machine, () => executor.traffic());
      const { addresses } = await status.during(() =>
        runPlan(trial, ({ id }) => shared.has(id), {
          ...options,
          status,
          progress: (report) => progress({ ...report, activity: `${place}: ${report.activity}` }),
          onNode(report) {
            if (report.seconds !== undefined)
              onTime(report.seconds, firstOutput(stageOf(stages, report.stage)).kind === "scores");
            options.onNode?.(report);
          },
        }),
      );
      return addresses;
    },
  });
}

/** Hash of all that a candidate's layers and the dense model's scores depend on: not those of the model that is not there yet. */
const keyOf = async ({ plan, stages, resources }: PreparedRun): Promise<string> =>
  identify(
    await resolveNodes(
      plan.nodes.filter(({ after }) => after.length === 0),
      stages,
      resources,
    ),
  );

/**
 * Settings and candidates for a recipe.
 *
 * @throws {UsageError} on a recipe without `quality`, a solver without candidates, and on a queue
 */
export async function prepareSearch(
  recipe: RunRecipe,
  prepare: (given: RunRecipe) => Promise<PreparedRun>,
  { queue, note = () => {} }: RunOptions,
): Promise<Search> {
  if (queue !== undefined) {
    throw new UsageError("run: --quality best runs on this machine alone; leave --engine queue out, or --quality", {
      option: "--quality",
    });
  }
  const settings = qualitySettings(recipe);
  return { settings, candidates: await prepareCandidates(recipe, settings, { prepare, keyOf, note }) };
}
