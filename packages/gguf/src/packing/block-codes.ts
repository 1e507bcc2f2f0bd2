import { encodeHalf } from "@mbs/numbers";

/**
 * What the bytes of neighbouring blocks of one type hold. With sub-blocks of scale number s and offset number o, code q stands for
 * d·s·(q - zero) - dmin·o; types without sub-blocks have s = o = 1.
 */
export interface BlockCodes {
  /** From 0, one a column, in their order. */
  readonly codes: Uint8Array;
  /** d, one a block; half-precision numbers, times the unit of a codebook where there is one, or numbers of few significant bits. */
  readonly scales: Float32Array;
  /** dmin, one a block, of the types that have one; half-precision numbers. Of Q4_1 and Q5_1 it is minus the least value. */
  readonly offsets: Float32Array;
  /** s, one a sub-block, of the types that have them. */
  readonly subScales: Int16Array;
  /** o, one a sub-block, of the types that have them. */
  readonly subOffsets: Uint8Array;
}

/** Packs as many blocks as there are bytes for. */
export type Packer = (codes: BlockCodes, bytes: Uint8Array) => void;

/** Writes one half-precision number a block, `at` bytes from its beginning. */
export function packHalves(values: Float32Array, bytes: Uint8Array, blockBytes: number, at: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const halves = encodeHalf(values);
  for (let block = 0; block * blockBytes < bytes.length; block += 1) {
    view.setUint16(block * blockBytes + at, halves[block]!, true);
  }
}

/** Two codes of four bits a byte: value j in the low half, j + 16 in the high one, of each 32. */
export function packNibbles(codes: Uint8Array, from: number, bytes: Uint8Array, at: number): void {
  for (let j = 0; j < 16; j += 1) bytes[at + j] = (codes[from + j]! & 15) | ((codes[from + j + 16]! & 15) << 4);
}
