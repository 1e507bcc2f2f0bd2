import { compressibleSteps } from "@mbs/models";
import type { Step, Vocabulary } from "@mbs/models";
import { asksForVocabulary } from "../plan/nodes/compression-nodes.ts";
import type { Recipe } from "../recipe/recipe.ts";

/** A model as far as embedding and head go. */
interface WithVocabulary {
  readonly steps: readonly Step[];
  readonly vocabulary?: Vocabulary | undefined;
}

/** Embedding and head, where a recipe compresses them. */
export const compressedVocabulary = (recipe: Recipe, { vocabulary }: WithVocabulary): Vocabulary | undefined =>
  asksForVocabulary(recipe) ? vocabulary : undefined;

/** The steps whose weights a recipe compresses, embedding and head among them where it asks for that. */
export const compressedSteps = (recipe: Recipe, model: WithVocabulary): readonly Step[] =>
  compressedVocabulary(recipe, model) === undefined ? model.steps : compressibleSteps(model);
