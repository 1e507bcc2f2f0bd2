import { at } from "@mbs/contracts";
import type { ExpectedTensor } from "../architectures/layout.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { transpose } from "./transpose.ts";

/** Values of a tensor as float32 in the shape that graphs use: [rows, columns] for a linear weight, however it is stored. */
export type WeightReader = (tensor: string) => Promise<Float32Array>;

/** Reads the tensors of a layout, whose names are those of the checkpoint. */
export function createWeightReader(checkpoint: Checkpoint, tensors: readonly ExpectedTensor[]): WeightReader {
  const transposed = new Set(tensors.filter((tensor) => tensor.transposed).map(({ name }) => name));
  return async (tensor) => {
    const values = await checkpoint.readF32(tensor);
    return transposed.has(tensor) ? transpose(values, at(checkpoint.info(tensor).shape, 0)) : values;
  };
}
