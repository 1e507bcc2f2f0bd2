import type { ArchitectureModel } from "@mbs/models";
import { denseLinears, modulePattern } from "./module-names.ts";
import type { SharedGrid } from "./shared-grid.ts";

/** What programs call the head, also where it is the embedding and the checkpoint has no tensor of that name. */
const head = "lm_head";

/** The linear layers that are stored dense, as `ignore` names them. */
export function ignoredLayers(model: ArchitectureModel, packed: ReadonlySet<string>): string[] {
  const others = denseLinears(model, packed).filter((module) => module !== head);
  return [head, ...others.map((module) => `re:${modulePattern(module)}`)];
}

/**
 * What `quantization_config` says of packed weights: one config group for all linear layers but the ignored. With several,
 * transformers reads the dense layers by the first group when it dequantises, and all experts by one.
 *
 * @param ignore the linear layers that are stored dense
 */
export const packedConfig = ({ bits, groupSize, symmetric }: SharedGrid, ignore: readonly string[]): object => ({
  quant_method: "compressed-tensors",
  format: "pack-quantized",
  quantization_status: "compressed",
  config_groups: {
    group_0: {
      targets: ["Linear"],
      weights: {
        num_bits: bits,
        type: "int",
        symmetric,
        strategy: groupSize === -1 ? "channel" : "group",
        group_size: groupSize === -1 ? null : groupSize,
        dynamic: false,
      },
      input_activations: null,
      output_activations: null,
    },
  },
  ignore,
  kv_cache_scheme: null,
});
