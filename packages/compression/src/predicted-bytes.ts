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

/** Bytes of a file, and of embedding and head in it. */
export interface PredictedBytes {
  readonly bytes: number;
  readonly embeddings: number;
}

/** How many weights of blocks solvers change. */
export const compressedWeights = (model: Model): number =>
  blockWeights(model).reduce((sum, { rows, columns }) => sum + rows * columns, 0);

/** The names of some weights. */
const named = (weights: readonly { readonly tensor: string }[]): ReadonlySet<string> =>
  new Set(weights.map(({ tensor }) => tensor));

/**
 * Bytes of the GGUF file that is made of a model.
 *
 * @param typeMix of the tensors
 * @param embeddings type that embedding and head get in place of that
 * @throws {FailedPreconditionError} where no GGUF file is made of the model
 */
export async function predictGgufBytes(model: Model, typeMix: string, embeddings?: string): Promise<PredictedBytes> {
  const bytes = await ggufBytesBeside(model, typeMix, new Set(), embeddings);
  return { bytes, embeddings: bytes - (await ggufBytesBeside(model, typeMix, named(embeddingWeights(model)), embeddings)) };
}

/** The same without the weights of blocks. */
export const predictGgufBytesBesideBlocks = (model: Model, typeMix: string, embeddings: string): Promise<number> =>
  ggufBytesBeside(model, typeMix, named(blockWeights(model)), embeddings);

interface Shape {
  readonly rows: number;
  readonly columns: number;
}

/** With a zero point for each group, and the group of each column as 32 bits: what the largest of the formats has. */
const bytesAs = (weights: readonly Shape[], bits: number, groupSize: number): number =>
  weights.reduce(
    (sum, shape) => sum + storedBits(shape, { kind: "groups", bits, groupSize, zeroPoints: "any" }) / 8 + 4 * shape.columns,
    0,
  );

/**
 * Bytes of the weights that a format of packed codes holds, without headers.
 *
 * @param groupSize columns that share a scale
 * @param ofBlocks bits of the weights of blocks
 * @param ofEmbeddings bits of embedding and head; absent where they stay as they are
 */
export function predictPackedBytes(model: Model, groupSize: number, ofBlocks: number, ofEmbeddings?: number): PredictedBytes {
  const [own, tables] = [blockWeights(model), embeddingWeights(model)];
  // a tensor that is both embedding and head is stored once
  const unlike = [...new Map(tables.map((weight) => [weight.tensor, weight])).values()];
  const others = denseBytes(model, named([...own, ...tables]));
  const embeddings =
    ofEmbeddings === undefined ? denseBytes(model, named(own)) - others : bytesAs(unlike, ofEmbeddings, groupSize);
  return { bytes: bytesAs(own, ofBlocks, groupSize) + embeddings + others, embeddings };
}
