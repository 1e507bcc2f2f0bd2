import type { Model } from "@mbs/models";
import type { FormattedModel } from "./format.ts";

/** What a model and its compressed form take up. Bytes are those of tensors, without headers and tokenizer. */
export interface ModelSizes {
  /** Of the model that was compressed. */
  readonly denseBytes: number;
  readonly bytes: number;
  /** Numbers in the tensors of the dense model. */
  readonly parameters: number;
  /** Those of the tensors that were compressed, their bytes before and now, scales and indices included. */
  readonly compressedParameters: number;
  readonly compressedDenseBytes: number;
  readonly compressedBytes: number;
  /** What a forward pass of one token reads: all but an embedding that is not the head. */
  readonly denseBytesAToken: number;
  readonly bytesAToken: number;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const count = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

/** @param changed names of the compressed tensors */
export function measureSizes(model: Model, changed: ReadonlySet<string>, formatted: FormattedModel): ModelSizes {
  const tensors = model.checkpoint.list();
  const compressed = tensors.filter(({ name }) => changed.has(name));
  const denseBytes = sum(tensors.map(({ bytes }) => bytes));
  const compressedDenseBytes = sum(compressed.map(({ bytes }) => bytes));
  const { compressedBytes, bytes = denseBytes - compressedDenseBytes + compressedBytes } = formatted;
  // Two tensors of this shape are an embedding, of which a token reads one row, and a head, which it reads whole.
  const tables = tensors.filter(({ shape }) => shape.join() === [model.vocabularySize, model.hiddenSize].join());
  const lookedUp = tables.length > 1 ? (tables[0]?.bytes ?? 0) : 0;
  return {
    denseBytes,
    bytes,
    parameters: sum(tensors.map(({ shape }) => count(shape))),
    compressedParameters: sum(compressed.map(({ shape }) => count(shape))),
    compressedDenseBytes,
    compressedBytes,
    denseBytesAToken: denseBytes - lookedUp,
    bytesAToken: bytes - lookedUp,
  };
}
