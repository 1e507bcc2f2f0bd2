import { packHalves, packNibbles, type Packer } from "./block-codes.ts";

// The inverse of ../blocks/legacy-blocks.ts, which describes the layouts.

const values = 32;

/** The fifth bits of 32 codes, lowest first. */
function packFifthBits(codes: Uint8Array, from: number, bytes: Uint8Array, at: number): void {
  for (let j = 0; j < values; j += 1) bytes[at + (j >> 3)]! |= (codes[from + j]! >> 4) << (j & 7);
}

/** @param head bytes before the codes */
const nibblePacker =
  (blockBytes: number, head: number, { least, fifth }: { readonly least: boolean; readonly fifth: boolean }): Packer =>
  ({ codes, scales, offsets }, bytes) => {
    bytes.fill(0);
    packHalves(scales, bytes, blockBytes, 0);
    if (least)
      packHalves(
        offsets.map((offset) => -offset),
        bytes,
        blockBytes,
        2,
      );
    for (let at = 0, from = 0; at < bytes.length; at += blockBytes, from += values) {
      if (fifth) packFifthBits(codes, from, bytes, at + head - 4);
      packNibbles(codes, from, bytes, at + head);
    }
  };

export const packQ40 = nibblePacker(18, 2, { least: false, fifth: false });
export const packQ41 = nibblePacker(20, 4, { least: true, fifth: false });
export const packQ50 = nibblePacker(22, 6, { least: false, fifth: true });
export const packQ51 = nibblePacker(24, 8, { least: true, fifth: true });

/** Codes are from 0 to 254; 127 stands for 0. */
export const packQ80: Packer = ({ codes, scales }, bytes) => {
  packHalves(scales, bytes, 34, 0);
  for (let at = 0, from = 0; at < bytes.length; at += 34, from += values) {
    for (let j = 0; j < values; j += 1) bytes[at + 2 + j] = codes[from + j]! - 127;
  }
};
