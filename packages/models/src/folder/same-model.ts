import { BadDataError } from "@mbs/contracts";
import type { Model } from "./model.ts";

/**
 * Refuses an artifact that was made with another model.
 *
 * @param what "the statistics"
 * @param address of the model in the artifact's metadata
 * @param remedy "capture again"
 * @throws {BadDataError} naming both models
 */
export function requireSameModel(what: string, address: string, model: Pick<Model, "address" | "path">, remedy: string): void {
  if (address === model.address) return;
  throw new BadDataError(`${what} are of model ${address}, ${model.path} is ${model.address}; ${remedy}`, {
    expected: model.address,
    found: address,
  });
}
