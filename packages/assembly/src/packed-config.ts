import type { GridClass } from "./grid-classes.ts";
import { moduleOf, modulePattern } from "./module-names.ts";

const pattern = (tensor: string): string => `re:${modulePattern(moduleOf(tensor, "compressed-tensors"))}`;

/** The linear layers that stay as they are: the head, and what no layer changed. */
export const ignoredLayers = (unchanged: readonly string[]): string[] => ["lm_head", ...unchanged.map(pattern)];

const weightsOf = ({ bits, groupSize, symmetric }: GridClass): object => ({
  num_bits: bits,
  type: "int",
  symmetric,
  strategy: groupSize === -1 ? "channel" : "group",
  group_size: groupSize === -1 ? null : groupSize,
  dynamic: false,
});

/**
 * What `quantization_config` says of packed weights. One class of layers is all linear layers but the ignored; of several
 * each names its own.
 *
 * @param unchanged tensors that are stored dense
 */
export function packedConfig(classes: readonly GridClass[], unchanged: readonly string[]): object {
  const groups = classes.map((grid, index): [string, object] => [
    `group_${index}`,
    {
      targets: classes.length === 1 ? ["Linear"] : grid.layers.map(({ tensor }) => pattern(tensor)),
      weights: weightsOf(grid),
      input_activations: null,
      output_activations: null,
    },
  ]);
  return {
    quant_method: "compressed-tensors",
    format: "pack-quantized",
    quantization_status: "compressed",
    config_groups: Object.fromEntries(groups),
    ignore: ignoredLayers(unchanged),
    kv_cache_scheme: null,
  };
}
