import type { BlockRule } from "@mbs/numbers";
import type { BlockEncoder } from "../encoders/block-encoder.ts";
import { packNibbles, type Packer } from "../packing/block-codes.ts";
import { doubled, levels, places, rising } from "./e2m1.ts";

/*
 * MXFP4 (OCP Microscaling Formats 1.0): 32 numbers of four bits (E2M1) and one power of two. A block of GGUF is 17 bytes: the
 * exponent (E8M0), then codes as in Q4_0. The scale d is half of the power.
 */

const size = 32;
const blockBytes = 17;

export const mxfp4Rule: BlockRule = { columns: size, subColumns: size, zero: 0, maximum: 15, levels, significantBits: 1 };

/** d of an exponent: 2^(e - 128). */
const scaleOf = (exponent: number): number => 2 ** (exponent - 128);

export function decodeMxfp4(bytes: Uint8Array, target: Float32Array): void {
  for (let at = 0, to = 0; to < target.length; at += blockBytes, to += size) {
    const d = scaleOf(bytes[at]!);
    for (let j = 0; j < 16; j += 1) {
      const codes = bytes[at + 1 + j]!;
      target[to + j] = d * doubled[codes & 15]!;
      target[to + j + 16] = d * doubled[codes >> 4]!;
    }
  }
}

export const packMxfp4: Packer = ({ codes, scales }, bytes) => {
  const own = codes.map((code) => rising[code]!);
  for (let at = 0, block = 0; at < bytes.length; at += blockBytes, block += 1) {
    bytes[at] = Math.log2(scales[block]!) + 128;
    packNibbles(own, block * size, bytes, at + 1);
  }
};

/** As ggml's quantize_row_mxfp4_ref: the exponent of the largest value, less two, and for each value the level next to it. */
export const mxfp4: BlockEncoder = {
  values: size,
  subBlocks: 0,
  fit(x, at, { codes, scales }, block) {
    let largest = 0;
    for (let i = 0; i < size; i += 1) largest = Math.max(largest, Math.abs(x[at + i]!));
    const exponent = largest > 0 ? Math.floor(Math.fround(Math.log2(largest))) + 125 : 0;
    const d = scaleOf(Math.min(Math.max(exponent, 0), 254));
    scales[block] = d;
    for (let i = 0; i < size; i += 1) {
      const value = x[at + i]!;
      let [best, least] = [0, Infinity];
      // in the order of E2M1's codes, of two equally near ones the first
      for (let code = 0; code < 16; code += 1) {
        const error = Math.abs(Math.fround(Math.fround(doubled[code]! * d) - value));
        if (error < least) [best, least] = [code, error];
      }
      codes[block * size + i] = places[best]!;
    }
  },
};
