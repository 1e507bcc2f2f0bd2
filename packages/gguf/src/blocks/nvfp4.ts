import { columnCodeOf, decodeBrain, encodeBrain, fitBlocksReference, type BlockRule } from "@mbs/numbers";
import type { BlockEncoder } from "../encoders/block-encoder.ts";
import type { Packer } from "../packing/block-codes.ts";
import { doubled, levels, rising } from "./e2m1.ts";

/*
 * NVFP4, as compressed-tensors stores it: 16 numbers of E2M1 and a scale of E4M3, beside one number of the whole tensor. Rows are
 * rounded apart, so a scale here has E4M3's four significant bits and an exponent of any size; the number of the tensor moves all
 * of them into E4M3's range when they are written.
 *
 * A block of layers is 10 bytes: the scale in bf16, which holds it, and two codes a byte, the first of two neighbours in the low
 * half. No GGUF file has it. The scale d of a rule is half of this one.
 */

const size = 16;
const blockBytes = 10;

export const nvfp4Rule: BlockRule = { columns: size, subColumns: size, zero: 0, maximum: 15, levels, significantBits: 4 };

/** The scales of whole blocks, one a block: those that compressed-tensors has, not yet moved into E4M3's range. */
export function nvfp4Scales(bytes: Uint8Array): Float32Array {
  const words = new Uint16Array(bytes.length / blockBytes);
  for (let block = 0; block < words.length; block += 1) {
    words[block] = bytes[block * blockBytes]! | (bytes[block * blockBytes + 1]! << 8);
  }
  return decodeBrain(words);
}

export function decodeNvfp4(bytes: Uint8Array, target: Float32Array): void {
  const scales = nvfp4Scales(bytes);
  for (let block = 0; block < scales.length; block += 1) {
    const [at, to, d] = [block * blockBytes, block * size, scales[block]! / 2];
    for (let pair = 0; pair < size / 2; pair += 1) {
      const codes = bytes[at + 2 + pair]!;
      target[to + 2 * pair] = d * doubled[codes & 15]!;
      target[to + 2 * pair + 1] = d * doubled[codes >> 4]!;
    }
  }
}

/** The codes by their levels, without −0, which other programs would read as such. */
const written = rising.map((code) => (doubled[code] === 0 ? 0 : code));

export const packNvfp4: Packer = ({ codes, scales }, bytes) => {
  const words = encodeBrain(scales.map((d) => 2 * d));
  for (let at = 0, block = 0; at < bytes.length; at += blockBytes, block += 1) {
    bytes[at] = words[block]! & 0xff;
    bytes[at + 1] = words[block]! >> 8;
    for (let pair = 0; pair < size / 2; pair += 1) {
      const from = block * size + 2 * pair;
      bytes[at + 2 + pair] = written[codes[from]!]! | (written[codes[from + 1]!]! << 4);
    }
  }
};

const equal = new Float32Array(size).fill(1);

/** The scale with the least error, as solvers choose it. */
export const nvfp4: BlockEncoder = {
  values: size,
  subBlocks: 0,
  fit(x, at, { codes, scales }, block, importance = equal) {
    const own = importance === equal ? equal : importance.subarray(at, at + size);
    const fitted = fitBlocksReference(x.subarray(at, at + size), 1, nvfp4Rule, own);
    const grid = { scales: fitted.scales, zero: nvfp4Rule.zero, maximum: nvfp4Rule.maximum, levels };
    scales[block] = fitted.scales[0]!;
    for (let i = 0; i < size; i += 1) codes[block * size + i] = columnCodeOf(x[at + i]!, grid, 0);
  },
};
