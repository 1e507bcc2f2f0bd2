import type { Model } from "@mbs/models";
import { ggufBytesBeside } from "./allocation/bits/bit-methods.ts";
import { typeChoices } from "./allocation/bits/storage-choices.ts";

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

/** What a GGUF file consists of, where blocks, embedding and head all get types of their own. */
export interface GgufParts {
  /** Bytes of everything else: header, tokenizer, norms. */
  readonly beside: number;
  /** Bytes of these weights in the smallest types. */
  readonly least: number;
  /** How many weights they are: of blocks, and of embedding and head. */
  readonly weights: { readonly blocks: number; readonly embeddings: number };
}

const countOf = (weights: readonly Shape[]): number => weights.reduce((sum, { rows, columns }) => sum + rows * columns, 0);

/**
 * What a size of a GGUF file is divided between, where blocks, embedding and head all get types of their own.
 *
 * @param types to choose from
 * @throws {FailedPreconditionError} where no GGUF file is made of the model
 */
export async function predictGgufParts(model: Model, typeMix: string, types: readonly string[]): Promise<GgufParts> {
  const choices = typeChoices(types);
  // the others stay as they are
  const hasChoices = (shape: Shape): boolean => choices.of(shape).length > 0;
  const tables = [...new Map(embeddingWeights(model).map((weight) => [weight.tensor, weight])).values()].filter(hasChoices);
  const all = [...blockWeights(model).filter(hasChoices), ...tables];
  const least = all.reduce((sum, shape) => sum + (choices.of(shape)[0]?.size ?? 0), 0) / 8;
  const weights = { blocks: countOf(all) - countOf(tables), embeddings: countOf(tables) };
  return { beside: await ggufBytesBeside(model, typeMix, named(all)), least, weights };
}

interface Shape {
  readonly rows: number;
  readonly columns: number;
}
