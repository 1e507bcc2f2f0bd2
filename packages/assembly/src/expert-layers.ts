import type { Model } from "@mbs/models";
import { refuseLayer } from "./layer-grid.ts";
import { siteWeights } from "./site-weights.ts";

/** A weight of one of the experts between which a router chooses; one that all tokens share is like any other layer. */
const isRouted = (tensor: string): boolean => /\.experts\.\d+\./.test(tensor);

/**
 * transformers stacks the experts of a block and unpacks them by one config group, without zero points; dense ones among
 * packed ones it drops, and dense ones alone too.
 *
 * @param packed names of the tensors that are packed
 * @throws {FailedPreconditionError} naming an expert's layer that transformers would read wrong, with the remedy
 */
export function checkExperts(model: Model, packed: ReadonlySet<string>, symmetric: boolean): void {
  for (const { tensor } of siteWeights(model).filter(({ tensor: name }) => isRouted(name))) {
    if (!packed.has(tensor)) {
      refuseLayer(
        { tensor },
        "transformers reads the experts of compressed-tensors only where all are packed, and this one is left dense; compress all of them, or assemble with --format dense",
      );
    }
    if (!symmetric) {
      refuseLayer(
        { tensor },
        "transformers reads no zero points of experts in compressed-tensors; compress with --symmetric, or assemble with --format dense",
      );
    }
  }
}

/**
 * Programs of GPTQ look for Mixtral's experts under the names that transformers 5 gives them, which are not the
 * checkpoint's; transformers then takes what lies in memory.
 *
 * @throws {FailedPreconditionError} naming an expert's layer that they would not find, with the remedy
 */
export function checkGptqExperts(packed: Iterable<string>): void {
  for (const tensor of packed) {
    if (!tensor.includes(".block_sparse_moe.experts.")) continue;
    refuseLayer(
      { tensor },
      "gptqmodel and transformers do not find the experts of Mixtral in GPTQ's files, or take random weights for them; assemble with --format compressed-tensors or dense",
    );
  }
}
