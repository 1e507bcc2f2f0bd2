import { BadDataError } from "@mbs/contracts";
import type { Layout } from "./architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Step } from "./model.ts";

const shownProblems = 8;

/** The name in the checkpoint of each tensor that a layout knows, where the checkpoint has it. */
export type TensorNames = ReadonlyMap<string, string>;

/**
 * Finds the tensors of a layout in a checkpoint, with or without one of the prefixes.
 *
 * @throws {BadDataError} listing tensors that are missing, have another shape or are no weights, and those that nobody knows
 */
export function findTensors(layout: Layout, checkpoint: Checkpoint, folder: string): TensorNames {
  const names = new Map<string, string>();
  const used = new Set<string>();
  const problems: string[] = [];
  for (const { name, shape, required } of layout.tensors) {
    const candidates = ["", ...layout.prefixes].map((prefix) => `${prefix}${name}`).filter((full) => checkpoint.has(full));
    const [found, second] = candidates;
    for (const candidate of candidates) used.add(candidate);
    if (second !== undefined) problems.push(`${found} stands beside ${second}`);
    if (found === undefined) {
      if (required) problems.push(`${name} is missing`);
      continue;
    }
    const info = checkpoint.info(found);
    if (info.shape.join() !== shape.join()) {
      problems.push(`${found} has shape [${info.shape.join(", ")}] where config.json asks for [${shape.join(", ")}]`);
    } else if (info.dtype === undefined) {
      problems.push(`${found} is ${info.storedDtype}, no F32, F16 or BF16`);
    }
    names.set(name, found);
  }
  problems.push(
    ...checkpoint
      .list()
      .filter(({ name }) => !used.has(name))
      .map(({ name }) => `${name} is unknown`),
  );
  if (problems.length > 0) {
    const more = problems.length > shownProblems ? `; and ${problems.length - shownProblems} more` : "";
    throw new BadDataError(
      `${folder}: the tensors do not fit config.json: ${problems.slice(0, shownProblems).join("; ")}${more}; is the folder complete and of a supported model?`,
      { folder, problems: problems.length },
    );
  }
  return names;
}

/** Steps whose weights go by their names in the checkpoint. */
export function nameSteps(steps: readonly Step[], names: TensorNames): readonly Step[] {
  return steps.map(({ name, sites }) => ({
    name,
    sites: sites.map((site) => ({
      ...site,
      weights: site.weights.map(({ tensor, rows }) => ({ tensor: names.get(tensor) ?? tensor, rows })),
    })),
  }));
}
