import type { ExpectedTensor } from "../architectures/layout.ts";
import type { Checkpoint } from "./checkpoint.ts";

/** Values of a tensor as float32 in the shape that graphs use: [rows, columns] for a linear weight, however it is stored. */
export type WeightReader = (tensor: string) => Promise<Float32Array>;

/** [rows, columns] → [columns, rows] */
export function transpose<Values extends Float32Array | Uint16Array | Uint8Array>(values: Values, rows: number): Values {
  const columns = values.length / rows;
  const turned = values.slice() as Values;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = values[row * columns + column] ?? 0;
  }
  return turned;
}

/** Reads the tensors of a layout, whose names are those of the checkpoint. */
export function createWeightReader(checkpoint: Checkpoint, tensors: readonly ExpectedTensor[]): WeightReader {
  const transposed = new Set(tensors.filter((tensor) => tensor.transposed).map(({ name }) => name));
  return async (tensor) => {
    const values = await checkpoint.readF32(tensor);
    return transposed.has(tensor) ? transpose(values, checkpoint.info(tensor).shape[0] ?? 1) : values;
  };
}
