import type { ArchitectureModel, TensorInfo } from "@mbs/models";
import type { OutputFile } from "./format.ts";
import type { LayerSpool } from "./layer-spool.ts";
import { ignoredLayers } from "./packed-config.ts";
import { quantisedConfig } from "./quantised-config.ts";

/** How many of 4 neighbours each of the 16 masks keeps. */
const kept = Uint8Array.from(
  { length: 16 },
  (_, nibble) => (nibble & 1) + ((nibble >> 1) & 1) + ((nibble >> 2) & 1) + (nibble >> 3),
);

/** Whether of every 4 neighbours in a row at most 2 are kept, which kernels for 2:4 rely on. */
function isTwoOfFour(layers: LayerSpool, tensor: string): boolean {
  const mask = layers.readPart(tensor, "mask");
  if (mask === undefined || mask.columns % 4 !== 0) return false;
  return mask.data.every((byte) => kept[byte & 15] <= 2 && kept[byte >> 4] <= 2);
}

const count = ({ shape }: TensorInfo): number => shape.reduce((product, side) => product * side, 1);

/**
 * config.json of a pruned model. Programs read the weights as dense ones; `sparsity_config` says how many are zero and
 * whether in a pattern.
 */
export function sparseConfig(model: ArchitectureModel, layers: LayerSpool): Promise<OutputFile> {
  const tensors = [...layers.summaries.keys()];
  const zeros = [...layers.summaries].reduce(
    (sum, [tensor, { sparsity }]) => sum + sparsity * count(model.checkpoint.info(tensor)),
    0,
  );
  const all = model.checkpoint.list().reduce((sum, info) => sum + count(info), 0);
  const ignore = ignoredLayers(model, new Set(tensors));
  return quantisedConfig(model, {
    quant_method: "compressed-tensors",
    format: "dense",
    ignore,
    sparsity_config: {
      format: "dense",
      targets: ["Linear"],
      ignore,
      global_sparsity: Number((zeros / all).toFixed(6)),
      sparsity_structure: tensors.every((tensor) => isTwoOfFour(layers, tensor)) ? "2:4" : "unstructured",
    },
  });
}
