import { packHalves, type BlockCodes, type Packer } from "./block-codes.ts";

// The inverse of ../blocks/k-blocks.ts, which describes the layouts.

const values = 256;

/** Bit pairs of 16 codes from `from`, sub-block `sub` of 16, in the 64 bytes from `at`. */
function packPairs(codes: Uint8Array, from: number, sub: number, bytes: Uint8Array, at: number): void {
  const first = at + (sub >> 3) * 32 + (sub & 1) * 16;
  const shift = ((sub >> 1) & 3) * 2;
  for (let j = 0; j < 16; j += 1) bytes[first + j]! |= (codes[from + j]! & 3) << shift;
}

export const packQ2K: Packer = ({ codes, scales, offsets, subScales, subOffsets }, bytes) => {
  bytes.fill(0);
  packHalves(scales, bytes, 84, 80);
  packHalves(offsets, bytes, 84, 82);
  for (let at = 0, from = 0, first = 0; at < bytes.length; at += 84, from += values, first += 16) {
    for (let sub = 0; sub < 16; sub += 1) {
      bytes[at + sub] = subScales[first + sub]! | (subOffsets[first + sub]! << 4);
      packPairs(codes, from + sub * 16, sub, bytes, at + 16);
    }
  }
};

export const packQ3K: Packer = ({ codes, scales, subScales }, bytes) => {
  bytes.fill(0);
  packHalves(scales, bytes, 110, 108);
  for (let at = 0, from = 0, first = 0; at < bytes.length; at += 110, from += values, first += 16) {
    for (let sub = 0; sub < 16; sub += 1) {
      const scale = subScales[first + sub]! + 32;
      bytes[at + 96 + (sub & 7)]! |= (scale & 15) << (sub < 8 ? 0 : 4);
      bytes[at + 104 + (sub & 3)]! |= (scale >> 4) << ((sub >> 2) * 2);
      const own = from + sub * 16;
      packPairs(codes, own, sub, bytes, at + 32);
      for (let j = 0; j < 16; j += 1) bytes[at + (sub & 1) * 16 + j]! |= (codes[own + j]! >> 2) << (sub >> 1);
    }
  }
};

/** Eight scales and offsets of six bits in twelve bytes. */
function packScales({ subScales, subOffsets }: BlockCodes, first: number, bytes: Uint8Array, at: number): void {
  for (let sub = 0; sub < 4; sub += 1) {
    const [scale, offset] = [subScales[first + sub]!, subOffsets[first + sub]!];
    const [later, laterOffset] = [subScales[first + sub + 4]!, subOffsets[first + sub + 4]!];
    bytes[at + sub] = scale | ((later >> 4) << 6);
    bytes[at + sub + 4] = offset | ((laterOffset >> 4) << 6);
    bytes[at + sub + 8] = (later & 15) | ((laterOffset & 15) << 4);
  }
}

/** @param head bytes before the codes; of Q5_K the last 32 of them take the fifth bits */
const scaledPacker =
  (blockBytes: number, head: number): Packer =>
  (blocks, bytes) => {
    const { codes, scales, offsets } = blocks;
    bytes.fill(0);
    packHalves(scales, bytes, blockBytes, 0);
    packHalves(offsets, bytes, blockBytes, 2);
    for (let at = 0, from = 0, first = 0; at < bytes.length; at += blockBytes, from += values, first += 8) {
      packScales(blocks, first, bytes, at + 4);
      for (let sub = 0; sub < 8; sub += 1) {
        const target = at + head + (sub >> 1) * 32;
        for (let j = 0; j < 32; j += 1) {
          const code = codes[from + sub * 32 + j]!;
          bytes[target + j]! |= (code & 15) << ((sub & 1) * 4);
          if (head > 16) bytes[at + 16 + j]! |= (code >> 4) << sub;
        }
      }
    }
  };

export const packQ4K = scaledPacker(144, 16);
export const packQ5K = scaledPacker(176, 48);

export const packQ6K: Packer = ({ codes, scales, subScales }, bytes) => {
  bytes.fill(0);
  packHalves(scales, bytes, 210, 208);
  for (let at = 0, from = 0, first = 0; at < bytes.length; at += 210, from += values, first += 16) {
    for (let sub = 0; sub < 16; sub += 1) {
      bytes[at + 192 + sub] = subScales[first + sub]!;
      const part = (sub >> 1) & 3;
      const column = (sub & 1) * 16;
      const low = at + (sub >> 3) * 64 + (part & 1) * 32 + column;
      const high = at + 128 + (sub >> 3) * 32 + column;
      for (let j = 0; j < 16; j += 1) {
        const code = codes[from + sub * 16 + j]!;
        bytes[low + j]! |= (code & 15) << ((part >> 1) * 4);
        bytes[high + j]! |= (code >> 4) << (part * 2);
      }
    }
  }
};
