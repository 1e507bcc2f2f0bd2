import { InternalError } from "@mbs/contracts";
import { refuseLayer } from "../layers/layer-grid.ts";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import type { PackedBlocks } from "./layer-blocks.ts";
import { mxfp4 } from "./mxfp4-tensors.ts";
import { nvfp4 } from "./nvfp4-tensors.ts";

/** The types that the format holds, by name. */
export const packedBlocks: ReadonlyMap<string, PackedBlocks> = new Map([mxfp4, nvfp4].map((own) => [own.type, own]));

/**
 * The type of layers, of which some have blocks.
 *
 * @throws {FailedPreconditionError} naming a layer that is rounded to something else, or to nothing, or in another order
 */
export function typeOfAll(layers: ScratchLayers): PackedBlocks {
  const found = [...layers.summaries.values()].flatMap(({ grid = "" }) => packedBlocks.get(grid) ?? []);
  const [own] = found;
  const names = [...packedBlocks.keys()].join(" or ");
  for (const [tensor, { grid }] of layers.summaries) {
    if (layers.has(tensor, "blockColumns")) {
      refuseLayer(
        { tensor },
        "its blocks are of columns in the order of GGUF files, which no other has; assemble with --format gguf or dense",
      );
    }
    if (own !== undefined && grid === own.type) continue;
    refuseLayer(
      { tensor },
      `it is ${grid ?? "not"} rounded to blocks, and compressed-tensors holds all layers as ${own?.type ?? names} or none; compress with --grid ${own?.type ?? names}, or with bits`,
    );
  }
  if (own === undefined) throw new InternalError("no layer has blocks");
  return own;
}

/** What `quantization_config` says of layers in blocks. @param ignore the linear layers that are stored dense */
export const blocksConfig = ({ format, groupSize, scheme }: PackedBlocks, ignore: readonly string[]): object => ({
  quant_method: "compressed-tensors",
  format,
  quantization_status: "compressed",
  config_groups: {
    group_0: {
      targets: ["Linear"],
      format,
      weights: { num_bits: 4, type: "float", symmetric: true, group_size: groupSize, dynamic: false, ...scheme },
      input_activations: null,
      output_activations: null,
    },
  },
  ignore,
  kv_cache_scheme: null,
});
