import { transpose } from "@mbs/models";
import { encodeHalf } from "@mbs/numbers";
import { groupsIn, refuseLayer } from "../layers/layer-grid.ts";
import type { LayerGrid } from "../layers/layer-grid.ts";
import { requireScales } from "../layers/quantised-layer.ts";
import type { QuantisedLayer } from "../layers/quantised-layer.ts";
import { packBits } from "../safetensors/bit-packing.ts";
import type { NewTensor } from "../safetensors/replaced-weights.ts";

/** How zeros are stored: version 1 subtracts one, version 2 does not. */
export type GptqVersion = 1 | 2;

export const bitsHeld: readonly number[] = [2, 3, 4, 8];
/** The group sizes that gptqmodel takes, beside one group a row. */
const groupSizes: readonly number[] = [16, 32, 64, 128, 256, 512, 1024];

/** @throws {FailedPreconditionError} where GPTQ's files cannot hold a layer of this grid, with the remedy */
export function checkGptqGrid(layer: LayerGrid, version: GptqVersion): void {
  const { rows, columns } = layer;
  const { bits, groupSize, zeroPoints } = layer.grid;
  if (!bitsHeld.includes(bits)) {
    const nearest = bitsHeld.filter((held) => held === 4 || held === 8).join(" or ");
    refuseLayer(
      layer,
      `GPTQ files hold 2, 3, 4 or 8 bits, not ${bits}; compress with --bits ${nearest}, or assemble with --format dense or compressed-tensors`,
    );
  }
  if (rows % 32 !== 0 || columns % 32 !== 0) {
    refuseLayer(
      layer,
      `GPTQ files pack 32 weights together, and [${rows}, ${columns}] is no multiple of 32 both ways; assemble with --format dense`,
    );
  }
  if (groupSize !== 0 && !groupSizes.includes(groupSize)) {
    refuseLayer(
      layer,
      `GPTQ programs know groups of ${groupSizes.join(", ")} and whole rows, not of ${groupSize}; compress with one of these`,
    );
  }
  if (version !== 1 || zeroPoints !== "any") return;
  refuseLayer(
    layer,
    "version 1 of GPTQ's files cannot hold the zero point 0, which asymmetric grids may have; assemble with --format gptq-v2, dense, compressed-tensors or onnx, or compress with --min-zero-point 1 or --symmetric",
  );
}

/** @throws {FailedPreconditionError} as checkGptqGrid, and where its scales do not fit */
export function checkGptqLayer(layer: QuantisedLayer, version: GptqVersion): void {
  checkGptqGrid(layer, version);
  requireScales(layer, "f16", "--format dense, or compressed-tensors --dtype bf16");
}

/**
 * The tensors of one linear layer: qweight [columns · bits / 32, rows] packed along the input, qzeros
 * [groups, rows · bits / 32] packed along the output, scales f16 [groups, rows], g_idx [columns].
 */
export function gptqTensors(module: string, layer: QuantisedLayer, version: GptqVersion): readonly NewTensor[] {
  const { rows, columns, zeros, scales, groupOf } = layer;
  const { bits } = layer.grid;
  const groups = groupsIn(layer);
  return [
    { name: `${module}.g_idx`, storedDtype: "I32", shape: [columns], read: () => groupOf },
    {
      name: `${module}.qweight`,
      storedDtype: "I32",
      shape: [(columns * bits) / 32, rows],
      read: () => packBits(transpose(layer.codes(), rows), columns, rows, bits, "rows"),
    },
    {
      name: `${module}.qzeros`,
      storedDtype: "I32",
      shape: [groups, (rows * bits) / 32],
      read: () => {
        const stored = version === 1 ? zeros.map((zero) => zero - 1) : zeros;
        return packBits(transpose(stored, rows), groups, rows, bits, "columns");
      },
    },
    {
      name: `${module}.scales`,
      storedDtype: "F16",
      shape: [groups, rows],
      read: () => encodeHalf(transpose(scales, rows)),
    },
  ];
}
