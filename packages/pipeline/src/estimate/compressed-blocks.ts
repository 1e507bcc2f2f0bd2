import { compressibleBlocks } from "@mbs/models";
import type { Block, Embeddings } from "@mbs/models";
import { asksForEmbeddings } from "../plan/nodes/compression-nodes.ts";
import type { Recipe } from "../recipe/recipe.ts";

/** A model as far as embedding and head go. */
interface WithEmbeddings {
  readonly blocks: readonly Block[];
  readonly embeddings?: Embeddings | undefined;
}

/** Embedding and head, where a recipe compresses them. */
export const compressedEmbeddings = (recipe: Recipe, { embeddings }: WithEmbeddings): Embeddings | undefined =>
  asksForEmbeddings(recipe) ? embeddings : undefined;

/** The blocks whose weights a recipe compresses, embedding and head among them where it asks for that. */
export const compressedBlocks = (recipe: Recipe, model: WithEmbeddings): readonly Block[] =>
  compressedEmbeddings(recipe, model) === undefined ? model.blocks : compressibleBlocks(model);
