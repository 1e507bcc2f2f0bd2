import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ResourceKind } from "@mbs/contracts";
import { openCorpus } from "@mbs/corpora";
import type { Model } from "@mbs/models";
import { isSolverPath } from "@mbs/solvers";
import type { Plan } from "./plan.ts";
import { stageOf } from "./stage-options.ts";
import type { Stages } from "./stage-options.ts";

/** A model's folder may hold links to files that lie elsewhere. */
async function modelPlaces({ folder, checkpoint }: Model): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => name);
  return [folder, ...[...names, ...checkpoint.files.map(({ file }) => file)].map((name) => join(folder, name))];
}

/** What an option of a kind leads to: models are known otherwise. */
async function placesOf(kind: ResourceKind, path: string): Promise<string[]> {
  switch (kind) {
    case "corpus":
      return [path, ...(await openCorpus(path)).files];
    case "distribution":
      return [path, join(path, "distribution.json")];
    case "model":
      return [];
  }
}

/**
 * The paths of all that a run reads and does not write itself: also of the texts, weights and shares that the paths of its
 * options lead to.
 *
 * @param model the one that is compressed; another that options name is still to be made
 */
export async function readPlaces({ nodes }: Plan, stages: Stages, model: Model): Promise<string[]> {
  const places = new Set(await modelPlaces(model));
  for (const { stage, options } of nodes) {
    const table = stageOf(stages, stage).options;
    for (const [name, value] of Object.entries(options)) {
      const option = table[name];
      for (const path of value === undefined ? [] : [value].flat().map(String)) {
        if (name === "solver" && isSolverPath(path)) places.add(path);
        if (option?.kind === "resource") for (const place of await placesOf(option.resource, path)) places.add(place);
      }
    }
  }
  return [...places];
}
