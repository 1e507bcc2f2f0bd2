import { bitsAWeight, formatBytes, isSmaller, sizeAgainst } from "@mbs/contracts";
import type { ModelSize, PlannedSize } from "@mbs/contracts";
import { converted, modelSize } from "@mbs/models";
import type { Model, WeightDtype } from "@mbs/models";
import { groupsIn } from "./layers/layer-grid.ts";
import type { LayerGrid } from "./layers/layer-grid.ts";

/** Bytes of codes with a scale in half precision and a zero point for each group, and the group of each column. */
const packedBytes = (layer: LayerGrid): number => {
  const { rows, columns, grid } = layer;
  return (rows * columns * grid.bits + groupsIn(layer) * rows * (16 + grid.bits)) / 8 + 4 * columns;
};

/**
 * About how large safetensors files of packed layers will be, without headers.
 *
 * @param grids of the tensors that are packed; one that the model does not have is added to it
 * @param dtype of all others; undefined where each keeps its own
 */
export function safetensorsBytes(model: Model, grids: readonly LayerGrid[], dtype: WeightDtype | undefined): number {
  const packed = new Set(grids.map(({ tensor }) => tensor));
  const others = model.checkpoint.list().filter(({ name }) => !packed.has(name));
  return (
    grids.reduce((sum, grid) => sum + packedBytes(grid), 0) +
    others.reduce((sum, tensor) => sum + converted(tensor, dtype).bytes, 0)
  );
}

/** Below this part of what its values take in the dtypes that it is read in, a model is quantised already. */
const quantisedPart = 0.9;

interface PlannedWeights {
  readonly format: string;
  /** Whether the layers have codes or blocks; false where weights are only pruned. */
  readonly isRounded: boolean;
}

/** Why a result is not smaller, and what to do. */
function advice({ format, isRounded }: PlannedWeights, source: ModelSize, isQuantised: boolean): string {
  if (!isRounded)
    return "pruned weights are stored as zeros in every format; quantise as well (sparsegpt with bits) for a smaller one";
  if (format === "dense")
    return "format dense stores rounded weights as they were; gptq, compressed-tensors, gguf and onnx pack them";
  if (!isQuantised) return "take fewer bits, larger groups, or compress: { embeddings: … } with format gguf or onnx";
  const bits = bitsAWeight(source).toFixed(1);
  const unpacked = format === "gguf" ? "" : `, and ${format} stores what it does not pack in 16 bits`;
  return `the source is quantised already, ${bits} bits a weight${unpacked}; take format gguf with a type of fewer bits, or the 16-bit original as the source`;
}

/** The expected size beside that of the source, and where it is not smaller, a line that says so, why, and what to do. */
export async function plannedSize(model: Model, bytes: number, weights: PlannedWeights): Promise<PlannedSize> {
  const source = await modelSize(model);
  if (isSmaller(bytes, source.bytes)) return { bytes, sourceBytes: source.bytes };
  const dense = model.checkpoint.list().reduce((sum, tensor) => sum + tensor.bytes, 0);
  const why = advice(weights, source, source.bytes < quantisedPart * dense);
  const sizes = `about ${formatBytes(bytes)} from ${formatBytes(source.bytes)}, ${sizeAgainst(bytes, source.bytes)}`;
  return { bytes, sourceBytes: source.bytes, notSmaller: `the result will not be smaller than its source (${sizes}): ${why}` };
}
