import { halves } from "./halves.ts";

/*
 * Codes of four bits that stand for sixteen fixed levels, not equally far apart: IQ4_NL, IQ4_XS. Layouts as in
 * ggml-common.h; the legend is in legacy-blocks.ts.
 */

/** What the codes stand for, in units of the scale. */
export const iq4Levels = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

/** 18 bytes for 32 values: d, then codes as in Q4_0. */
export function decodeIQ4NL(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += 18, to += 32) {
    const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
    for (let j = 0; j < 16; j += 1) {
      const codes = bytes[at + 2 + j]!;
      target[to + j] = d * iq4Levels[codes & 15]!;
      target[to + j + 16] = d * iq4Levels[codes >> 4]!;
    }
  }
}

/** 136 bytes for 256 values: d, scales of six bits (two bytes of high bits, four of low ones), 128 bytes of codes; sub-blocks of 32. */
export function decodeIQ4XS(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += 136, to += 256) {
    const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const high = bytes[at + 2]! | (bytes[at + 3]! << 8);
    for (let sub = 0; sub < 8; sub += 1) {
      const low = (bytes[at + 4 + (sub >> 1)]! >> ((sub & 1) * 4)) & 15;
      const scale = d * ((low | (((high >> (2 * sub)) & 3) << 4)) - 32);
      const from = at + 8 + sub * 16;
      const first = to + sub * 32;
      for (let j = 0; j < 16; j += 1) {
        const codes = bytes[from + j]!;
        target[first + j] = scale * iq4Levels[codes & 15]!;
        target[first + j + 16] = scale * iq4Levels[codes >> 4]!;
      }
    }
  }
}
