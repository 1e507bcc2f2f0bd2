import { halves } from "../blocks/halves.ts";
import { pointBits, superColumns, type Codebook } from "./codebooks.ts";

/**
 * The decoder of a codebook type. Bit-equal to ggml without rounding by hand: d, s and a size have fewer than 24 significant bits
 * together, so their product is exact in float32.
 */
export function codebookDecoder(codebook: Codebook): (bytes: Uint8Array, target: Float32Array) => void {
  const { width, subColumns, sizes, points, unit, layout } = codebook;
  const bits = pointBits(codebook);
  const mask = (1 << bits) - 1;
  return (bytes, target) => {
    for (let at = 0, to = 0; to < target.length; at += layout.bytes, to += superColumns) {
      const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
      for (let first = 0; first < superColumns; first += 8) {
        const scale = d * unit * (2 * layout.getScale(bytes, at, Math.floor(first / subColumns)) + 1);
        const signs = layout.getSigns(bytes, at, first >> 3);
        for (let j = 0; j < 8; j += width) {
          const point = points[layout.getPoint(bytes, at, (first + j) / width)]!;
          for (let k = 0; k < width; k += 1) {
            const size = scale * sizes[(point >> (k * bits)) & mask]!;
            target[to + first + j + k] = (signs >> (j + k)) & 1 ? -size : size;
          }
        }
      }
    }
  };
}
