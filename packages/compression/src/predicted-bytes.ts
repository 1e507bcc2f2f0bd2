import type { GroupGrid } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { denseBytes, storedBits } from "./allocation/bits/bit-budget.ts";
import { ggufBytesBeside } from "./allocation/bits/bit-methods.ts";

/** The weights of blocks that solvers change, with their columns. */
const blockWeights = ({ blocks }: Model) =>
  blocks.flatMap(({ sites }) =>
    sites.flatMap(({ width: columns, weights }) => weights.map(({ tensor, rows }) => ({ tensor, rows, columns }))),
  );

const embeddingWeights = ({ embeddings }: Model) =>
  embeddings?.sites.flatMap(({ width: columns, weights }) => weights.map(({ tensor, rows }) => ({ tensor, rows, columns }))) ??
  [];

/** How many weights of blocks solvers change. */
export const compressedWeights = (model: Model): number =>
  blockWeights(model).reduce((sum, { rows, columns }) => sum + rows * columns, 0);

/**
 * Bytes of the GGUF file that is made of a model.
 *
 * @param typeMix of the tensors
 * @param embeddings type that embedding and head get in place of that
 * @throws {FailedPreconditionError} where no GGUF file is made of the model
 */
export const predictGgufBytes = (model: Model, typeMix: string, embeddings?: string): Promise<number> =>
  ggufBytesBeside(model, typeMix, new Set(), embeddings);

/** The same without the weights of blocks. */
export const predictGgufBytesBesideBlocks = (model: Model, typeMix: string, embeddings?: string): Promise<number> =>
  ggufBytesBeside(model, typeMix, new Set(blockWeights(model).map(({ tensor }) => tensor)), embeddings);

/**
 * Bytes of the weights that a format of packed codes holds, without headers.
 *
 * @param blocks grid of the weights of blocks
 * @param embeddings grid of embedding and head; absent where they stay as they are
 */
export function predictPackedBytes(model: Model, blocks: GroupGrid, embeddings?: GroupGrid): number {
  const own = blockWeights(model).map((weight) => ({ ...weight, grid: blocks }));
  const tables = embeddings === undefined ? [] : embeddingWeights(model).map((weight) => ({ ...weight, grid: embeddings }));
  const packed = new Map([...own, ...tables].map((weight) => [weight.tensor, weight]));
  const bits = [...packed.values()].reduce((sum, { grid, ...shape }) => sum + storedBits(shape, grid), 0);
  return bits / 8 + denseBytes(model, new Set(packed.keys()));
}
