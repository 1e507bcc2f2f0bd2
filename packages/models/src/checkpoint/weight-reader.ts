import { at } from "@mbs/contracts";
import type { ExpectedTensor } from "../architectures/layout.ts";
import type { Checkpoint } from "./checkpoint.ts";

/** Sides of the squares that are turned one after the other, so that what is read and what is written stay in the cache. */
const tile = 32;

/** [rows, columns] → [columns, rows] */
export function transpose<Values extends Float32Array | Uint32Array | Uint16Array | Uint8Array>(
  values: Values,
  rows: number,
): Values {
  const columns = values.length / rows;
  const turned = values.slice() as Values;
  for (let firstRow = 0; firstRow < rows; firstRow += tile) {
    const endRow = Math.min(rows, firstRow + tile);
    for (let first = 0; first < columns; first += tile) {
      const end = Math.min(columns, first + tile);
      for (let column = first; column < end; column++) {
        for (let row = firstRow; row < endRow; row++) turned[column * rows + row] = values[row * columns + column]!;
      }
    }
  }
  return turned;
}

/**
 * Values of a tensor as float32 in the shape that graphs use: [rows, columns] for a linear weight, however it is stored. Not to be
 * changed: who reads a tensor that another one still has gets the same array.
 */
export type WeightReader = (tensor: string) => Promise<Float32Array>;

/** Reads the tensors of a layout, whose names are those of the checkpoint. */
export function createWeightReader(checkpoint: Checkpoint, tensors: readonly ExpectedTensor[]): WeightReader {
  const transposed = new Set(tensors.filter((tensor) => tensor.transposed).map(({ name }) => name));
  // what a forward pass keeps need not be read and converted again; it is nobody's longer than before
  const known = new Map<string, WeakRef<Float32Array>>();
  return async (tensor) => {
    const kept = known.get(tensor)?.deref();
    if (kept !== undefined) return kept;
    const stored = await checkpoint.readF32(tensor);
    const values = transposed.has(tensor) ? transpose(stored, at(checkpoint.info(tensor).shape, 0)) : stored;
    known.set(tensor, new WeakRef(values));
    return values;
  };
}
