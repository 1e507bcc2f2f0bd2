import { InternalError } from "@mbs/contracts";
import { quantisationTypeNamed } from "@mbs/gguf";
import { refuseLayer } from "../layers/layer-grid.ts";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import type { NewTensor } from "../safetensors/replaced-weights.ts";

/** The type of GGUF's blocks that the format holds. */
export const mxfp4 = "MXFP4";

/** @throws {FailedPreconditionError} naming a layer that is rounded to something else, or to nothing, or in another order */
export function requireMxfp4(layers: ScratchLayers): void {
  for (const [tensor, { grid }] of layers.summaries) {
    if (layers.has(tensor, "blockColumns")) {
      refuseLayer(
        { tensor },
        "its blocks are of columns in the order of GGUF files, which no other has; assemble with --format gguf or dense",
      );
    }
    if (grid === mxfp4) continue;
    refuseLayer(
      { tensor },
      `it is ${grid ?? "not"} rounded to blocks, and compressed-tensors holds all layers as ${mxfp4} or none; compress with --grid ${mxfp4}, or with bits`,
    );
  }
}

/** The bytes of a layer's blocks, the exponents apart from the codes. */
function readBlocks(layers: ScratchLayers, tensor: string, rows: number, columns: number) {
  const { values, bytes } = quantisationTypeNamed(mxfp4);
  const blocks = layers.readPart(tensor, "blocks")?.data;
  const count = (rows * columns) / values;
  if (blocks?.length !== count * bytes)
    throw new InternalError(`layer ${tensor} has no ${mxfp4} blocks of its shape`, { tensor });
  return { blocks, count, bytes, values };
}

/**
 * Two codes a byte, the first of two neighbours in the low half; in GGUF's blocks value j shares its byte with j + 16.
 *
 * @returns [rows, columns / 2]
 */
function packPairs(layers: ScratchLayers, tensor: string, rows: number, columns: number): Uint8Array {
  const { blocks, count, bytes, values } = readBlocks(layers, tensor, rows, columns);
  const half = values / 2;
  const pairs = new Uint8Array(count * half);
  for (let block = 0; block < count; block += 1) {
    const [from, to] = [block * bytes + 1, block * half];
    for (let pair = 0; pair < half / 2; pair += 1) {
      const [first, second] = [blocks[from + 2 * pair]!, blocks[from + 2 * pair + 1]!];
      pairs[to + pair] = (first & 15) | ((second & 15) << 4);
      pairs[to + half / 2 + pair] = (first >> 4) | (second & 0xf0);
    }
  }
  return pairs;
}

/**
 * The tensors of one linear layer in the format mxfp4-pack-quantized: weight_packed [rows, columns / 2] of two codes of E2M1 a byte,
 * and weight_scale [rows, columns / 32] of exponents of two, with 127 added.
 */
export function mxfp4Tensors(layers: ScratchLayers, tensor: string, module: string): readonly NewTensor[] {
  const shape = layers.shapes.get(tensor);
  if (shape === undefined) throw new InternalError(`layer ${tensor} has blocks and no shape`, { tensor });
  const { rows, columns } = shape;
  return [
    {
      name: `${module}.weight_packed`,
      storedDtype: "U8",
      shape: [rows, columns / 2],
      read: () => packPairs(layers, tensor, rows, columns),
    },
    {
      name: `${module}.weight_scale`,
      storedDtype: "U8",
      shape: [rows, columns / 32],
      read() {
        const { blocks, count, bytes } = readBlocks(layers, tensor, rows, columns);
        return Uint8Array.from({ length: count }, (_, block) => blocks[block * bytes]!);
      },
    },
  ];
}

/** What `quantization_config` says of layers in MXFP4. @param ignore the linear layers that are stored dense */
export const mxfp4Config = (ignore: readonly string[]): object => ({
  quant_method: "compressed-tensors",
  format: "mxfp4-pack-quantized",
  quantization_status: "compressed",
  config_groups: {
    group_0: {
      targets: ["Linear"],
      format: "mxfp4-pack-quantized",
      weights: {
        num_bits: 4,
        type: "float",
        symmetric: true,
        strategy: "group",
        group_size: 32,
        dynamic: false,
        scale_dtype: "torch.uint8",
        zp_dtype: "torch.uint8",
      },
      input_activations: null,
      output_activations: null,
    },
  },
  ignore,
  kv_cache_scheme: null,
});
