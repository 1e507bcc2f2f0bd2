import { packHalves, packNibbles, type Packer } from "./block-codes.ts";

// The inverse of ../blocks/iq4-blocks.ts, which describes the layouts.

export const packIQ4NL: Packer = ({ codes, scales }, bytes) => {
  packHalves(scales, bytes, 18, 0);
  for (let at = 0, from = 0; at < bytes.length; at += 18, from += 32) packNibbles(codes, from, bytes, at + 2);
};

export const packIQ4XS: Packer = ({ codes, scales, subScales }, bytes) => {
  bytes.fill(0);
  packHalves(scales, bytes, 136, 0);
  for (let at = 0, from = 0, first = 0; at < bytes.length; at += 136, from += 256, first += 8) {
    for (let sub = 0; sub < 8; sub += 1) {
      const scale = subScales[first + sub]! + 32;
      bytes[at + 2 + (sub >> 2)]! |= (scale >> 4) << ((sub & 3) * 2);
      bytes[at + 4 + (sub >> 1)]! |= (scale & 15) << ((sub & 1) * 4);
      packNibbles(codes, from + sub * 32, bytes, at + 8 + sub * 16);
    }
  }
};
