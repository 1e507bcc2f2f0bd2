import type { TensorData } from "../../kinds/records.ts";
import type { LayerSource } from "../../written-values.ts";
import type { ScratchFile, ScratchSlot } from "./scratch-file.ts";

/** A matrix in a scratch file, and what its bytes mean. */
export interface ScratchMatrix extends Omit<TensorData, "data"> {
  readonly slot: ScratchSlot;
}

export const keepMatrix = (scratch: ScratchFile, { dtype, rows, columns, data }: TensorData): ScratchMatrix => ({
  dtype,
  rows,
  columns,
  slot: scratch.append(data),
});

/** The rows from `first` to before `last`; default all. */
export function readMatrix(scratch: ScratchFile, matrix: ScratchMatrix, first = 0, last = matrix.rows): TensorData {
  const { slot, dtype, rows, columns } = matrix;
  const stride = slot.length / rows;
  const part = { offset: slot.offset + first * stride, length: (last - first) * stride };
  return { dtype, rows: last - first, columns, data: scratch.read(part) };
}

/** What says which values a layer writes, in a scratch file. */
export interface ScratchLayer extends Pick<LayerSource, "tensor" | "summary"> {
  readonly values?: ScratchMatrix;
  readonly blocks?: ScratchMatrix;
  readonly blockColumns?: ScratchMatrix;
}

export function keepLayer(scratch: ScratchFile, layer: LayerSource): ScratchLayer {
  const { tensor, summary, values, blocks, blockColumns } = layer;
  return {
    tensor,
    summary,
    ...(values && { values: keepMatrix(scratch, values) }),
    ...(blocks && { blocks: keepMatrix(scratch, blocks) }),
    ...(blockColumns && { blockColumns: keepMatrix(scratch, blockColumns) }),
  };
}

/** The rows of a layer from `first` to before `last`; default all. */
export function readLayer(scratch: ScratchFile, layer: ScratchLayer, first?: number, last?: number): LayerSource {
  const { tensor, summary, values, blocks, blockColumns } = layer;
  return {
    tensor,
    summary,
    ...(values && { values: readMatrix(scratch, values, first, last) }),
    ...(blocks && { blocks: readMatrix(scratch, blocks, first, last) }),
    ...(blockColumns && { blockColumns: readMatrix(scratch, blockColumns) }),
  };
}
