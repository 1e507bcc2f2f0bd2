import type { RunRecipe } from "../../recipe/decided-recipe.ts";
import type { Recipe } from "../../recipe/recipe.ts";
import type { Add } from "./plan-node.ts";

/** Parts into which the windows are cut for evaluation, at most eight: each reads the texts and the weights of both models. */
export const windowShards = ({ shards }: Recipe): number => Math.min(shards, 8);

/** Models to score, by label. */
interface Scored {
  /** What the names of the nodes end with. */
  readonly suffix: string;
  readonly models: Readonly<Record<string, string>>;
  readonly after: readonly string[];
  readonly result?: string;
}

/** The scores of some models: shards of the windows apart. */
function scoreModels(add: Add, recipe: Recipe, section: string, { suffix, models, after, result }: Scored): void {
  const shards = windowShards(recipe);
  const { distribution } = recipe.sample;
  // the mixture that the sample follows weighs the mean, too
  const shares = distribution === undefined ? {} : { shares: distribution };
  const options = { labels: Object.keys(models), ...shares, ...recipe.evaluate, model: Object.values(models) };
  const node = { stage: "evaluate", section: [section], inputs: {}, after };
  const written = result === undefined ? {} : { result };
  if (shards === 1) {
    add({ ...node, id: `evaluate${suffix}`, options, ...written });
    return;
  }
  const parts = Array.from({ length: shards }, (_, index) =>
    add({
      ...node,
      id: `evaluate${suffix}.shard-${index + 1}`,
      options: { ...options, shard: `${index + 1}/${shards}` },
      isPart: true,
      isSide: true,
    }),
  );
  add({
    id: `join-scores${suffix}`,
    stage: "join-scores",
    section: ["shards"],
    key: "evaluate",
    options: {},
    inputs: { scores: parts },
    after,
    ...written,
  });
}

/** The scores of both models, and of those beside them, in one artifact or, of a candidate, of both in two. */
export function evaluateFrom(add: Add, recipe: RunRecipe, modelFolder: string, assembled: string): void {
  const dense = { dense: recipe.model };
  const compressed = { compressed: modelFolder };
  if (recipe.isCandidate === true) {
    scoreModels(add, recipe, "quality", { suffix: ".dense", models: dense, after: [] });
    scoreModels(add, recipe, "quality", { suffix: ".compressed", models: compressed, after: [assembled] });
  } else {
    const models = { ...dense, ...compressed, ...recipe.beside };
    scoreModels(add, recipe, "evaluate", { suffix: "", models, after: [assembled], result: "scores.arrow" });
  }
}
