import { InternalError } from "@mbs/contracts";
import { pointBits, superColumns, type Codebook } from "../codebooks/codebooks.ts";
import { packHalves, type Packer } from "./block-codes.ts";

/** The inverse of the decoder of ../codebooks/codebook-blocks.ts. @throws {InternalError} on codes that are no point */
export function codebookPacker(codebook: Codebook): Packer {
  const { width, subColumns, sizes, points, unit, layout } = codebook;
  const bits = pointBits(codebook);
  const count = sizes.length;
  const indices = new Int16Array(0x10000).fill(-1);
  for (const [index, point] of points.entries()) indices[point] = index;
  return ({ codes, scales, subScales }, bytes) => {
    bytes.fill(0);
    packHalves(
      scales.map((scale) => scale / unit),
      bytes,
      layout.bytes,
      0,
    );
    const subs = superColumns / subColumns;
    for (let at = 0, from = 0, sub = 0; at < bytes.length; at += layout.bytes, from += superColumns, sub += subs) {
      for (let own = 0; own < subs; own += 1) layout.putScale(bytes, at, own, (subScales[sub + own]! - 1) / 2);
      for (let first = 0; first < superColumns; first += 8) {
        let signs = 0;
        for (let j = 0; j < 8; j += width) {
          let point = 0;
          for (let k = 0; k < width; k += 1) {
            const code = codes[from + first + j + k]!;
            if (code < count) signs |= 1 << (j + k);
            point |= (code < count ? count - 1 - code : code - count) << (k * bits);
          }
          const index = indices[point]!;
          if (index < 0) throw new InternalError(`columns from ${from + first + j} are no point of the codebook`);
          layout.putPoint(bytes, at, (first + j) / width, index);
        }
        layout.putSigns(bytes, at, first >> 3, signs);
      }
    }
  };
}
