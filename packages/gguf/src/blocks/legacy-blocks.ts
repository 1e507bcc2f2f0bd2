import { halves } from "./halves.ts";

/*
 * Blocks of 32 values with one scale: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0. Layouts as in ggml-common.h.
 *
 * Legend, in all kernels of this folder: `bytes` holds whole blocks, `target` receives their values, d is a block's scale
 * and m its least value, both half precision; `at` counts bytes, `to` counts values.
 *
 * Bit-equal to ggml without rounding by hand: a code times a scale has fewer than 24 significant bits, so the product is
 * exact in float32, and a sum of two such numbers is exact in float64, so that storing it rounds once, as ggml does.
 */

const values = 32;
const half = values / 2;

/** 18 bytes: d, then 16 bytes with the codes of value j and j + 16 in their low and high half; (code - 8) · d. */
export function decodeQ40(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += 18, to += values) {
    const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
    for (let j = 0; j < half; j += 1) {
      const codes = bytes[at + 2 + j]!;
      target[to + j] = d * ((codes & 15) - 8);
      target[to + j + half] = d * ((codes >> 4) - 8);
    }
  }
}

/** 20 bytes: d, m, then codes as in Q4_0; code · d + m. */
export function decodeQ41(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += 20, to += values) {
    const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const m = halves[bytes[at + 2]! | (bytes[at + 3]! << 8)]!;
    for (let j = 0; j < half; j += 1) {
      const codes = bytes[at + 4 + j]!;
      target[to + j] = d * (codes & 15) + m;
      target[to + j + half] = d * (codes >> 4) + m;
    }
  }
}

/** 22 bytes: d, 32 fifth bits, then four bits of each code as in Q4_0; (code - 16) · d. */
export function decodeQ50(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += 22, to += values) {
    const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const high = bytes[at + 2]! | (bytes[at + 3]! << 8) | (bytes[at + 4]! << 16) | (bytes[at + 5]! << 24);
    for (let j = 0; j < half; j += 1) {
      const codes = bytes[at + 6 + j]!;
      target[to + j] = d * (((codes & 15) | (((high >>> j) & 1) << 4)) - 16);
      target[to + j + half] = d * (((codes >> 4) | (((high >>> (j + half)) & 1) << 4)) - 16);
    }
  }
}

/** 24 bytes: d, m, then as Q5_0; code · d + m. */
export function decodeQ51(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += 24, to += values) {
    const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
    const m = halves[bytes[at + 2]! | (bytes[at + 3]! << 8)]!;
    const high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
    for (let j = 0; j < half; j += 1) {
      const codes = bytes[at + 8 + j]!;
      target[to + j] = d * ((codes & 15) | (((high >>> j) & 1) << 4)) + m;
      target[to + j + half] = d * ((codes >> 4) | (((high >>> (j + half)) & 1) << 4)) + m;
    }
  }
}

/** 34 bytes: d, then 32 signed bytes; code · d. */
export function decodeQ80(bytes: Uint8Array, target: Float32Array): void {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0, to = 0; to < target.length; at += 34, to += values) {
    const d = halves[bytes[at]! | (bytes[at + 1]! << 8)]!;
    for (let j = 0; j < values; j += 1) target[to + j] = d * signed[at + 2 + j]!;
  }
}
