import type { StageOptions } from "@mbs/contracts";
import { recipeKeys } from "./recipe-keys.ts";
import type { RecipeKey } from "./recipe-keys.ts";
import type { Recipe } from "./recipe.ts";

/** Keys of a recipe whose stages make another model before everything else, in their order: a trimmed one can still be rotated. */
export const firstKeys = ["trim", "rotate"] as const;

export type FirstKey = (typeof firstKeys)[number];

/** Options that such a key shares with the recipe, and does not name itself. */
export function sharedOptions(recipe: Recipe, key: FirstKey): StageOptions {
  const { shared = [] }: RecipeKey = recipeKeys[key];
  const left = shared.filter((name) => recipe[key]?.[name] === undefined);
  return Object.fromEntries(left.map((name) => [name, recipe[name]]));
}

/** All options of such a stage, but for the model. */
export const firstOptions = (recipe: Recipe, key: FirstKey): StageOptions => ({ ...sharedOptions(recipe, key), ...recipe[key] });
