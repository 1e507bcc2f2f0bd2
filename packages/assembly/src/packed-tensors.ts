import { FailedPreconditionError } from "@mbs/contracts";
import { encodeBrain, encodeHalf } from "@mbs/numbers";
import type { WeightDtype } from "@mbs/models";
import { packBits } from "./bit-packing.ts";
import type { QuantisedLayer } from "./quantised-layer.ts";
import type { NewTensor } from "./replaced-weights.ts";

const refuse = (layer: QuantisedLayer, problem: string): never => {
  throw new FailedPreconditionError(`layer ${layer.tensor}: ${problem}`, { tensor: layer.tensor });
};

/** @throws {FailedPreconditionError} where pack-quantized cannot hold a layer, with the remedy */
export function checkPackedLayer(layer: QuantisedLayer, transposed: boolean): void {
  if (transposed) {
    refuse(
      layer,
      "compressed-tensors knows linear layers only, and this model type keeps its weights in transposed ones; assemble with --format gptq or dense",
    );
  }
  const { columns, groups, groupSize, reordered, scales } = layer;
  if (reordered) {
    refuse(
      layer,
      "compressed-tensors no longer reads groups in activation order; assemble with --format gptq, or solve with --order natural or group-aware",
    );
  }
  if (groups > 1 && columns % groupSize !== 0) {
    refuse(
      layer,
      `compressed-tensors needs whole groups, and ${columns} columns are no multiple of ${groupSize}; compress with a --group-size that divides them`,
    );
  }
  const worst = scales.findIndex((scale) => !(Math.abs(scale) < 65504));
  if (worst >= 0) refuse(layer, `scale ${scales[worst]} is beyond half precision; assemble with --format dense`);
}

const encodeScales = (scales: Float32Array, dtype: WeightDtype): ArrayBufferView =>
  dtype === "f16" ? encodeHalf(scales) : dtype === "bf16" ? encodeBrain(scales) : scales;

/**
 * The tensors of one linear layer: weight_packed [rows, ⌈columns · bits / 32⌉], weight_scale [rows, groups] in the dtype
 * of the source, weight_shape, and for an asymmetric grid weight_zero_point [⌈rows · bits / 32⌉, groups]. Codes and zeros
 * count from the least, so they are packed as they are.
 */
export function packedTensors(
  module: string,
  layer: QuantisedLayer,
  dtype: WeightDtype,
  symmetric: boolean,
): readonly NewTensor[] {
  const { rows, columns, groups, bits, zeros, scales } = layer;
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
      read: () => encodeScales(scales, dtype),
    },
    {
      name: `${module}.weight_shape`,
      storedDtype: "I64",
      shape: [2],
      read: () => BigInt64Array.of(BigInt(rows), BigInt(columns)),
    },
    ...(symmetric
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
