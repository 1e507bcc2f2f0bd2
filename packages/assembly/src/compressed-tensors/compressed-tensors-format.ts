import { configOf } from "@mbs/models";
import type { Model, WeightDtype } from "@mbs/models";
import { denseFormat } from "../dense-format.ts";
import type { Format } from "../format.ts";
import { refuseLayer } from "../layers/layer-grid.ts";
import { quantisedParts, readQuantisedLayer } from "../layers/quantised-layer.ts";
import type { QuantisedLayer } from "../layers/quantised-layer.ts";
import { leaveVocabulary, refuseVocabulary } from "../layers/left-vocabulary.ts";
import { siteWeights, transposedTensors } from "../layers/site-weights.ts";
import { moduleOf } from "../safetensors/module-names.ts";
import { replacedWeights } from "../safetensors/replaced-weights.ts";
import { chosenDtype, dtypeOptions } from "../safetensors/written-dtype.ts";
import { ignoredLayers, packedConfig, sparseConfig } from "./compressed-tensors-config.ts";
import { checkPackedGrid, checkPackedLayer, packedTensors } from "./packed-tensors.ts";
import { onSharedGrid, sharedGrid, sharedGroupSize } from "./shared-grid.ts";

const name = "compressed-tensors";

/** Bits that programs have kernels for, and that every version of the library packs alike. */
const common: ReadonlySet<number> = new Set([2, 4, 8]);

/** A weight of one of the experts between which a router chooses; one that all tokens share is like any other layer. */
const isRouted = (tensor: string): boolean => /\.experts\.\d+\./.test(tensor);

/**
 * transformers stacks the experts of a block and unpacks them by one config group, without zero points. It drops dense
 * experts, whether the others are packed or not.
 *
 * @param packed names of the tensors that are packed
 * @throws {FailedPreconditionError} naming an expert's layer that transformers would read wrong, with the remedy
 */
function checkExperts(model: Model, packed: ReadonlySet<string>, symmetric: boolean): void {
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
 * Folders of compressed-tensors: quantised weights packed (pack-quantized), pruned ones dense with their zeros.
 */
export const compressedTensorsFormat: Format = {
  name,
  encoderDecoders: false,
  // transformers reads others with dequantize=True alone
  zeroPoints: "middle",
  options: dtypeOptions,
  parts: quantisedParts,
  checkPlan(model, { grids, vocabulary, zeroPoints = "middle" }) {
    refuseVocabulary(model, vocabulary, name);
    const transposed = model.kind === "graph" ? new Set<string>() : transposedTensors(model);
    for (const grid of grids) {
      checkPackedGrid(grid, transposed.has(grid.tensor));
      moduleOf(grid.tensor, name);
    }
    if (grids.length > 0) sharedGroupSize(grids);
    checkExperts(model, new Set(grids.map(({ tensor }) => tensor)), zeroPoints === "middle");
  },
  async plan(model, given, options, context) {
    const layers = leaveVocabulary(model, given, name, context.warn);
    const dtype = chosenDtype(model, options, `assemble --format ${name}`);
    const summaries = [...layers.summaries.values()];
    if (summaries.every(({ bits }) => bits === undefined)) {
      checkExperts(model, new Set(), true);
      const dense = await denseFormat.plan(model, layers, options, context);
      return { ...dense, files: [...dense.files, await sparseConfig(model, layers, dtype)] };
    }
    const quantised = [...layers.summaries.keys()].map((tensor) => readQuantisedLayer(layers, tensor, name));
    const transposed = transposedTensors(model);
    const dtypeOf = ({ tensor }: QuantisedLayer): WeightDtype => dtype ?? model.checkpoint.info(tensor).dtype ?? model.dtype;
    for (const layer of quantised) checkPackedLayer(layer, transposed.has(layer.tensor), dtypeOf(layer));
    const grid = sharedGrid(quantised);
    const { bits, symmetric } = grid;
    const packed = new Set(layers.summaries.keys());
    checkExperts(model, packed, symmetric);
    if (!common.has(bits)) {
      context.warn(`only compressed-tensors 0.20 and later read ${bits} bits; vLLM has kernels for 4 and 8`);
    }
    const fewer = quantised.filter((layer) => layer.bits < bits).length;
    if (fewer > 0) {
      context.warn(
        `${fewer} of ${quantised.length} layers have fewer than ${bits} bits and are stored with ${bits}: programs read one grid for all layers of compressed-tensors; --format gptq keeps the bits of each`,
      );
    }
    if (!symmetric) {
      context.warn("transformers 5.24 reads asymmetric compressed-tensors only with CompressedTensorsConfig(dequantize=True)");
    }
    const replacements = new Map(
      quantised.map((layer) => [
        layer.tensor,
        packedTensors(moduleOf(layer.tensor, name), onSharedGrid(layer, grid), dtypeOf(layer)),
      ]),
    );
    const quantisation = packedConfig(grid, ignoredLayers(model, packed));
    const weights = replacedWeights(model, layers, replacements, dtype);
    return { ...weights, files: [...weights.files, await configOf(model, { dtype, quantisation })] };
  },
};
