import type { WeightDtype } from "@mbs/models";
import { encodeWeights } from "@mbs/numbers";
import { groupsIn, isSymmetric, refuseLayer } from "../layers/layer-grid.ts";
import type { LayerGrid } from "../layers/layer-grid.ts";
import { requireScales } from "../layers/quantised-layer.ts";
import type { QuantisedLayer } from "../layers/quantised-layer.ts";
import { packBits } from "../safetensors/bit-packing.ts";
import type { NewTensor } from "../safetensors/replaced-weights.ts";

/** @throws {FailedPreconditionError} always: a layer of a model type that keeps its weights turned */
export function refuseTransposed(layer: Pick<LayerGrid, "tensor">): never {
  refuseLayer(
    layer,
    "compressed-tensors knows linear layers only, and this model type keeps its weights in transposed ones; assemble with --format gptq or dense",
  );
}

/** @throws {FailedPreconditionError} where pack-quantized cannot hold a layer of this grid, with the remedy */
export function checkPackedGrid(layer: LayerGrid, transposed: boolean): void {
  if (transposed) refuseTransposed(layer);
  const { columns, reordered } = layer;
  const { groupSize } = layer.grid;
  if (reordered) {
    refuseLayer(
      layer,
      "compressed-tensors no longer reads groups in activation order; assemble with --format gptq, or factor with --order natural or group-aware",
    );
  }
  if (groupSize !== 0 && columns % groupSize !== 0) {
    refuseLayer(
      layer,
      `compressed-tensors needs whole groups, and ${columns} columns are no multiple of ${groupSize}; compress with a --group-size that divides them`,
    );
  }
}

/**
 * @param dtype of its scales
 * @throws {FailedPreconditionError} as checkPackedGrid, and where its scales do not fit
 */
export function checkPackedLayer(layer: QuantisedLayer, transposed: boolean, dtype: WeightDtype): void {
  checkPackedGrid(layer, transposed);
  requireScales(layer, dtype, dtype === "f16" ? "--dtype bf16 or f32" : "--format dense");
}

/**
 * The tensors of one linear layer: weight_packed [rows, ⌈columns · bits / 32⌉], weight_scale [rows, groups] in the dtype
 * of the folder, weight_shape, and for an asymmetric grid weight_zero_point [⌈rows · bits / 32⌉, groups]. Codes and zeros
 * count from the least, so they are packed as they are.
 */
export function packedTensors(module: string, layer: QuantisedLayer, dtype: WeightDtype): readonly NewTensor[] {
  const { rows, columns, grid, zeros, scales } = layer;
  const { bits } = grid;
  const groups = groupsIn(layer);
  return [
    {
      name: `${module}.weight_packed`,
      storedDtype: "I32",
      shape: [rows, Math.ceil((columns * bits) / 32)],
      read: () => packBits(layer.codes(), rows, columns, bits, "columns"),
    },
    {
      name: `${module}.weight_scale`,
      storedDtype: dtype === "f16" ? "F16" : dtype === "bf16" ? "BF16" : "F32",
      shape: [rows, groups],
      read: () => encodeWeights(dtype, scales),
    },
    {
      name: `${module}.weight_shape`,
      storedDtype: "I64",
      shape: [2],
      read: () => BigInt64Array.of(BigInt(rows), BigInt(columns)),
    },
    ...(isSymmetric(grid)
      ? []
      : [
          {
            name: `${module}.weight_zero_point`,
            storedDtype: "I32" as const,
            shape: [Math.ceil((rows * bits) / 32), groups],
            read: () => packBits(zeros, rows, groups, bits, "rows"),
          },
        ]),
  ];
}
