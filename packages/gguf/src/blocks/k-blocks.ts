import { halves } from "./halves.ts";

/*
 * Super-blocks of 256 values, in sub-blocks with scales of their own: Q2_K to Q6_K. Layouts as in ggml-common.h; the legend
 * and why nothing is rounded by hand are in legacy-blocks.ts. dmin scales the least values of sub-blocks.
 */

const values = 256;

/** 84 bytes: 16 scales and least values of four bits, 64 bytes of codes, d, dmin; sub-blocks of 16. */
export function decodeQ2K(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += 84, to += values) {
    const d = halves[bytes[at + 80]! | (bytes[at + 81]! << 8)]!;
    const dmin = halves[bytes[at + 82]! | (bytes[at + 83]! << 8)]!;
    for (let sub = 0; sub < 16; sub += 1) {
      const packed = bytes[at + sub]!;
      const scale = d * (packed & 15);
      const least = dmin * (packed >> 4);
      // 8 sub-blocks share 32 bytes, two of them each pair of bits
      const codes = at + 16 + (sub >> 3) * 32 + (sub & 1) * 16;
      const shift = ((sub >> 1) & 3) * 2;
      const first = to + sub * 16;
      for (let j = 0; j < 16; j += 1) target[first + j] = scale * ((bytes[codes + j]! >> shift) & 3) - least;
    }
  }
}

/** 110 bytes: 32 bytes of third bits, 64 of codes, 12 of scales of six bits, d; sub-blocks of 16. */
export function decodeQ3K(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += 110, to += values) {
    const d = halves[bytes[at + 108]! | (bytes[at + 109]! << 8)]!;
    for (let sub = 0; sub < 16; sub += 1) {
      const low = (bytes[at + 96 + (sub & 7)]! >> (sub < 8 ? 0 : 4)) & 15;
      const high = (bytes[at + 104 + (sub & 3)]! >> ((sub >> 2) * 2)) & 3;
      const scale = d * ((low | (high << 4)) - 32);
      const column = (sub & 1) * 16;
      const codes = at + 32 + (sub >> 3) * 32 + column;
      const shift = ((sub >> 1) & 3) * 2;
      const third = sub >> 1;
      const first = to + sub * 16;
      for (let j = 0; j < 16; j += 1) {
        // a third bit that is set stands for 0
        const offset = (bytes[at + column + j]! >> third) & 1 ? 0 : 4;
        target[first + j] = scale * (((bytes[codes + j]! >> shift) & 3) - offset);
      }
    }
  }
}

/** The scale of sub-block `sub` of Q4_K and Q5_K, of the 12 bytes from `at` that pack eight scales and least values. */
const scaleOf = (bytes: Uint8Array, at: number, sub: number): number =>
  sub < 4 ? bytes[at + sub]! & 63 : (bytes[at + 4 + sub]! & 15) | ((bytes[at + sub - 4]! >> 6) << 4);

/** The least value of sub-block `sub`. */
const leastOf = (bytes: Uint8Array, at: number, sub: number): number =>
  sub < 4 ? bytes[at + 4 + sub]! & 63 : (bytes[at + 4 + sub]! >> 4) | ((bytes[at + sub]! >> 6) << 4);

/** 144 bytes: d, dmin, 12 bytes of scales and least values, 128 of codes; sub-blocks of 32. */
export function decodeQ4K(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += 144, to += values) {
    const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const dmin = halves[bytes[at + 2]! | (bytes[at + 3]! << 8)]!;
    for (let sub = 0; sub < 8; sub += 1) {
      const scale = d * scaleOf(bytes, at + 4, sub);
      const least = dmin * leastOf(bytes, at + 4, sub);
      const codes = at + 16 + (sub >> 1) * 32;
      const shift = (sub & 1) * 4;
      const first = to + sub * 32;
      for (let j = 0; j < 32; j += 1) target[first + j] = scale * ((bytes[codes + j]! >> shift) & 15) - least;
    }
  }
}

/** 176 bytes: as Q4_K, with 32 bytes of fifth bits before the codes. */
export function decodeQ5K(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += 176, to += values) {
    const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const dmin = halves[bytes[at + 2]! | (bytes[at + 3]! << 8)]!;
    for (let sub = 0; sub < 8; sub += 1) {
      const scale = d * scaleOf(bytes, at + 4, sub);
      const least = dmin * leastOf(bytes, at + 4, sub);
      const codes = at + 48 + (sub >> 1) * 32;
      const shift = (sub & 1) * 4;
      const first = to + sub * 32;
      for (let j = 0; j < 32; j += 1) {
        const code = ((bytes[codes + j]! >> shift) & 15) | (((bytes[at + 16 + j]! >> sub) & 1) << 4);
        target[first + j] = scale * code - least;
      }
    }
  }
}

/** 210 bytes: 128 of low bits, 64 of the two high bits, 16 signed scales, d; sub-blocks of 16; (code - 32) · scale. */
export function decodeQ6K(bytes: Uint8Array, target: Float32Array): void {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0, to = 0; to < target.length; at += 210, to += values) {
    const d = halves[bytes[at + 208]! | (bytes[at + 209]! << 8)]!;
    for (let sub = 0; sub < 16; sub += 1) {
      const scale = d * signed[at + 192 + sub]!;
      // 8 sub-blocks share 64 bytes of low bits and 32 of high ones
      const part = (sub >> 1) & 3;
      const column = (sub & 1) * 16;
      const low = at + (sub >> 3) * 64 + (part & 1) * 32 + column;
      const lowShift = (part >> 1) * 4;
      const high = at + 128 + (sub >> 3) * 32 + column;
      const highShift = part * 2;
      const first = to + sub * 16;
      for (let j = 0; j < 16; j += 1) {
        const code = ((bytes[low + j]! >> lowShift) & 15) | (((bytes[high + j]! >> highShift) & 3) << 4);
        target[first + j] = scale * (code - 32);
      }
    }
  }
}
