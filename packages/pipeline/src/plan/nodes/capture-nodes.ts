import { inputSite } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { StageOptions } from "@mbs/contracts";
import type { Recipe } from "../../recipe/recipe.ts";
import type { Add, ModelOutline, PlanNode } from "./plan-node.ts";

/** Statistics that are added by one node: more are added in two rounds or more, which may run on several machines. */
const mostAdded = 8;

/** Statistics of all segments, and the nodes that captured them, by shard. */
interface Captured {
  readonly statistics: string;
  readonly captures: readonly string[];
}

/** Adds the statistics of all shards, always in the same tree. */
function addShards(add: Add, id: string, captures: readonly string[], isSide: boolean): string {
  const [only] = captures;
  if (captures.length === 1 && only !== undefined) return only;
  const isLast = captures.length <= mostAdded;
  const groups = isLast
    ? [captures]
    : Array.from({ length: Math.ceil(captures.length / mostAdded) }, (_, group) =>
        captures.slice(group * mostAdded, (group + 1) * mostAdded),
      );
  const added = groups.map((group, index) => {
    const [first] = group;
    if (group.length === 1 && first !== undefined) return first;
    return add({
      id: isLast ? id : `${id}.${captures.length}-${index + 1}`,
      stage: "add",
      section: ["shards"],
      options: {},
      inputs: { statistics: group },
      ...(isLast && !isSide ? { key: "capture" } : { isSide: true }),
    });
  });
  return addShards(add, id, added, isSide);
}

/** Names of the shards of a recipe, as `--shard` takes them; one that is undefined where all segments stay together. */
const shardsOf = ({ shards }: Recipe): readonly (string | undefined)[] =>
  shards === 1 ? [undefined] : Array.from({ length: shards }, (_, index) => `${index + 1}/${shards}`);

/**
 * Statistics of all segments.
 *
 * @param sources segments, which every shard reads, or the states of each shard
 * @param more further inputs, and the node that it has an affinity to, by shard
 */
export function captureFrom(
  add: Add,
  recipe: Recipe,
  { id, options, isSide = false }: { readonly id: string; readonly options: StageOptions; readonly isSide?: boolean },
  sources: string | readonly string[],
  more: (shard: number) => Pick<PlanNode, "inputs" | "affinity"> = () => ({ inputs: {} }),
): Captured {
  const captures = shardsOf(recipe).map((shard, index) => {
    const { inputs, ...others } = more(index);
    return add({
      id: shard === undefined ? id : `${id}.shard-${index + 1}`,
      stage: "capture",
      options: typeof sources === "string" && shard !== undefined ? { ...options, shard } : options,
      inputs: { source: [typeof sources === "string" ? sources : at(sources, index)], ...inputs },
      ...others,
      ...((isSide || shard !== undefined) && { isSide: true }),
    });
  });
  return { statistics: addShards(add, id.replace(/^capture/, "add"), captures, isSide), captures };
}

/** A node of `propagate` for each shard. */
export function propagateFrom(
  add: Add,
  recipe: Recipe,
  { id, options, isSide = false }: { readonly id: string; readonly options: StageOptions; readonly isSide?: boolean },
  more: (shard: number) => Pick<PlanNode, "inputs" | "affinity">,
  isFirst = false,
): string[] {
  return shardsOf(recipe).map((shard, index) =>
    add({
      id: shard === undefined ? id : `${id}.shard-${index + 1}`,
      stage: "propagate",
      options: isFirst && shard !== undefined ? { ...options, shard } : options,
      ...more(index),
      ...(isSide && { isSide }),
    }),
  );
}

/** Options of every node that runs the model: where capture allows non-finite weights, the others must too. */
export const forwardOptions = ({ model, capture: { allowNonfinite } }: Recipe): StageOptions => ({
  model,
  ...(allowNonfinite !== undefined && { allowNonfinite }),
});

export const compareLanguages = (add: Add, statistics: string): string =>
  add({
    id: "similarity",
    stage: "similarity",
    options: {},
    inputs: { statistics: [statistics] },
    result: "similarity.arrow",
  });

/** Compares languages by the input of the first block, from the states before it. */
export function compareInputs(add: Add, recipe: Recipe, { blocks }: ModelOutline, states: readonly string[]): void {
  const options = { ...forwardOptions(recipe), site: [inputSite] };
  const capture = { id: `capture.${at(blocks, 0).name}.input`, options, isSide: true };
  compareLanguages(add, captureFrom(add, recipe, capture, states).statistics);
}

export const embedFrom = (add: Add, recipe: Recipe, segments: string, isSide = false): string[] =>
  propagateFrom(
    add,
    recipe,
    { id: "propagate.embedding", options: forwardOptions(recipe), isSide },
    () => ({ inputs: { source: [segments] } }),
    true,
  );
