/*
 * Where the bytes of super-blocks of codebook types have their numbers, as in ggml-common.h: d, a half, comes first. Points count
 * from 0 in a block, so do signs (one number for each eight columns, bit j for column j) and sub-blocks. `put…` needs zeros there.
 */

/** The numbers of one type's blocks; `at` is where a block begins. */
export interface CodebookLayout {
  /** Bytes of a block. */
  readonly bytes: number;
  getPoint(bytes: Uint8Array, at: number, point: number): number;
  putPoint(bytes: Uint8Array, at: number, point: number, index: number): void;
  getSigns(bytes: Uint8Array, at: number, eight: number): number;
  putSigns(bytes: Uint8Array, at: number, eight: number, signs: number): void;
  /** Four bits: (s - 1) / 2. */
  getScale(bytes: Uint8Array, at: number, sub: number): number;
  putScale(bytes: Uint8Array, at: number, sub: number, scale: number): void;
}

/** Seven signs, and the eighth that makes the count of set bits even. */
const evenSigns = Uint8Array.from({ length: 128 }, (_, seven) => {
  let ones = 0;
  for (let bits = seven; bits > 0; bits >>= 1) ones += bits & 1;
  return seven | ((ones & 1) << 7);
});

/** Words of 32 bits for each 32 columns: four times seven signs, then the scale. @param first that of the first; `stride` apart */
const signWords = (first: number, stride: number) =>
  ({
    getSigns: (bytes, at, eight) => {
      const bit = (eight & 3) * 7;
      const from = at + first + (eight >> 2) * stride + (bit >> 3);
      return evenSigns[((bytes[from]! | (bytes[from + 1]! << 8)) >> (bit & 7)) & 127]!;
    },
    putSigns: (bytes, at, eight, signs) => {
      const bit = (eight & 3) * 7;
      const from = at + first + (eight >> 2) * stride + (bit >> 3);
      const moved = (signs & 127) << (bit & 7);
      bytes[from]! |= moved & 255;
      bytes[from + 1]! |= moved >> 8;
    },
    getScale: (bytes, at, sub) => bytes[at + first + sub * stride + 3]! >> 4,
    putScale: (bytes, at, sub, scale) => {
      bytes[at + first + sub * stride + 3]! |= scale << 4;
    },
  }) satisfies Partial<CodebookLayout>;

/** Eight signs a byte. */
const signBytes = (first: number) =>
  ({
    getSigns: (bytes, at, eight) => bytes[at + first + eight]!,
    putSigns: (bytes, at, eight, signs) => {
      bytes[at + first + eight] = signs;
    },
  }) satisfies Partial<CodebookLayout>;

/** Two scales a byte, the first in its low half. */
const scaleNibbles = (first: number) =>
  ({
    getScale: (bytes, at, sub) => (bytes[at + first + (sub >> 1)]! >> ((sub & 1) * 4)) & 15,
    putScale: (bytes, at, sub, scale) => {
      bytes[at + first + (sub >> 1)]! |= scale << ((sub & 1) * 4);
    },
  }) satisfies Partial<CodebookLayout>;

/** Eight bits of each point from byte 2 on, those above them, `bits` of each, from byte `first` on. */
const splitPoints = (first: number, bits: number) => {
  const perByte = 8 / bits;
  const shiftOf = (point: number): number => (point % perByte) * bits;
  const mask = (1 << bits) - 1;
  return {
    getPoint: (bytes, at, point) =>
      bytes[at + 2 + point]! | (((bytes[at + first + Math.floor(point / perByte)]! >> shiftOf(point)) & mask) << 8),
    putPoint: (bytes, at, point, index) => {
      bytes[at + 2 + point] = index & 255;
      bytes[at + first + Math.floor(point / perByte)]! |= (index >> 8) << shiftOf(point);
    },
  } satisfies Partial<CodebookLayout>;
};

export const layoutIQ2XXS: CodebookLayout = {
  bytes: 66,
  // four points, then the word of their signs
  getPoint: (bytes, at, point) => bytes[at + 2 + (point >> 2) * 8 + (point & 3)]!,
  putPoint: (bytes, at, point, index) => {
    bytes[at + 2 + (point >> 2) * 8 + (point & 3)] = index;
  },
  ...signWords(6, 8),
};

/** Points and their signs lie together: nine bits, then seven. */
export const layoutIQ2XS: CodebookLayout = {
  bytes: 74,
  getPoint: (bytes, at, point) => bytes[at + 2 + 2 * point]! | ((bytes[at + 3 + 2 * point]! & 1) << 8),
  putPoint: (bytes, at, point, index) => {
    bytes[at + 2 + 2 * point] = index & 255;
    bytes[at + 3 + 2 * point]! |= index >> 8;
  },
  getSigns: (bytes, at, eight) => evenSigns[bytes[at + 3 + 2 * eight]! >> 1]!,
  putSigns: (bytes, at, eight, signs) => {
    bytes[at + 3 + 2 * eight]! |= (signs & 127) << 1;
  },
  ...scaleNibbles(66),
};

export const layoutIQ2S: CodebookLayout = { bytes: 82, ...splitPoints(66, 2), ...signBytes(34), ...scaleNibbles(74) };

export const layoutIQ3XXS: CodebookLayout = {
  bytes: 98,
  getPoint: (bytes, at, point) => bytes[at + 2 + point]!,
  putPoint: (bytes, at, point, index) => {
    bytes[at + 2 + point] = index;
  },
  ...signWords(66, 4),
};

export const layoutIQ3S: CodebookLayout = { bytes: 110, ...splitPoints(66, 1), ...signBytes(74), ...scaleNibbles(106) };
