import { blocksOf, type LayerBlocks, type PackedBlocks } from "./layer-blocks.ts";

const type = "MXFP4";
const groupSize = 32;

/**
 * Two codes a byte, the first of two neighbours in the low half; in GGUF's blocks value j shares its byte with j + 16.
 *
 * @returns [rows, columns / 2]
 */
function packPairs({ count, bytes, read }: LayerBlocks): Uint8Array {
  const blocks = read();
  const half = groupSize / 2;
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

/** Exponents of two, with 127 added: the first byte of each block. */
function exponentsOf({ count, bytes, read }: LayerBlocks): Uint8Array {
  const blocks = read();
  return Uint8Array.from({ length: count }, (_, block) => blocks[block * bytes]!);
}

/**
 * mxfp4-pack-quantized: weight_packed [rows, columns / 2] of two codes of E2M1 a byte, and weight_scale [rows, columns / 32] of
 * exponents of two, with 127 added.
 */
export const mxfp4: PackedBlocks = {
  type,
  format: "mxfp4-pack-quantized",
  groupSize,
  scheme: { strategy: "group", scale_dtype: "torch.uint8", zp_dtype: "torch.uint8" },
  plan: (_model, layers) => (tensor, module) => {
    const own = blocksOf(layers, tensor, type);
    const { rows, columns } = own;
    return [
      { name: `${module}.weight_packed`, storedDtype: "U8", shape: [rows, columns / 2], read: () => packPairs(own) },
      { name: `${module}.weight_scale`, storedDtype: "U8", shape: [rows, columns / groupSize], read: () => exponentsOf(own) },
    ];
  },
};
