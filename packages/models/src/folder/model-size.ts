import { stat } from "node:fs/promises";
import type { ModelSize } from "@mbs/contracts";
import type { Model } from "./model.ts";

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** The size of a model as it is stored: of a packed or quantised one not what its values would take. */
export async function modelSize({ weightFiles, checkpoint }: Pick<Model, "weightFiles" | "checkpoint">): Promise<ModelSize> {
  const files = await Promise.all(weightFiles.map(async (file) => (await stat(file)).size));
  const tensors = checkpoint.list().map(({ shape }) => shape.reduce((product, side) => product * side, 1));
  return { bytes: sum(files), parameters: sum(tensors) };
}
