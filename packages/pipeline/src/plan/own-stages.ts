import { requireKnownColumns } from "@mbs/artifacts";
import { UsageError, loadStage, optionTable } from "@mbs/contracts";
import type { Stage, StageOptions } from "@mbs/contracts";
import type { Recipe, StageEntry } from "../recipe/recipe.ts";
import { located } from "./option-faults.ts";
import type { Stages } from "./known-stages.ts";

/** Options of an entry with the recipe's model and corpus filled in where its stage requires them and they are not given. */
async function withGiven(stage: Stage, { model, corpus }: Recipe, options: StageOptions): Promise<StageOptions> {
  const table = await optionTable(stage, options);
  const given = Object.entries({ model, corpus }).flatMap(([name, path]): [string, unknown][] => {
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (option?.kind !== "resource" || option.resource !== name || option.optional === true) return [];
    return [[name, option.many ? [path] : path]];
  });
  return { ...Object.fromEntries(given), ...options };
}

export interface LoadedStages {
  readonly recipe: Recipe;
  readonly stages: Stages;
  readonly faults: readonly UsageError[];
}

/**
 * Loads the stages that a recipe names under `stages`.
 *
 * @param known stages of this program
 * @returns all stages by the name that the recipe gives them; the recipe with complete entries; and what is wrong: where there is
 *   no such stage, or the module exports no stage, the entry stays as it was given and its stage is missing
 */
export async function loadOwnStages(recipe: Recipe, known: Stages): Promise<LoadedStages> {
  const faults: UsageError[] = [];
  const stages = new Map(known);
  const entries = new Map<string, StageEntry>();
  for (const [name, entry] of recipe.stages) {
    try {
      const stage = stages.get(entry.stage) ?? (await loadStage(entry.stage, [...known.keys()], requireKnownColumns));
      stages.set(entry.stage, stage);
      entries.set(name, { ...entry, options: await withGiven(stage, recipe, entry.options) });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      faults.push(located(error, ["stages", name], recipe));
      entries.set(name, entry);
    }
  }
  return { recipe: { ...recipe, stages: entries }, stages, faults };
}
