import type { BlockRule } from "@mbs/numbers";

export const unevenLevels = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

/** Those of MXFP4, doubled, with 0 twice. */
const doubledLevels = Int8Array.of(-12, -8, -6, -4, -3, -2, -1, 0, 0, 1, 2, 3, 4, 6, 8, 12);

/** Rules of every kind that GGUF has, with fewer columns. */
export const blockRules: readonly BlockRule[] = [
  { columns: 32, subColumns: 32, zero: 127, maximum: 254 },
  { columns: 32, subColumns: 32, zero: 8, maximum: 15 },
  { columns: 32, subColumns: 32, zero: 0, maximum: 15, offsets: "half" },
  { columns: 32, subColumns: 32, zero: 0, maximum: 15, levels: unevenLevels },
  { columns: 64, subColumns: 16, zero: 0, maximum: 3, scales: { least: 1, most: 15 }, offsets: { most: 15 } },
  { columns: 64, subColumns: 32, zero: 0, maximum: 31, scales: { least: 1, most: 63 }, offsets: { most: 63 } },
  { columns: 64, subColumns: 16, zero: 4, maximum: 7, scales: { least: -32, most: 31 } },
  { columns: 64, subColumns: 32, zero: 0, maximum: 15, levels: unevenLevels, scales: { least: -32, most: 31 } },
  { columns: 32, subColumns: 32, zero: 0, maximum: 15, levels: doubledLevels, significantBits: 1 },
  { columns: 16, subColumns: 16, zero: 0, maximum: 15, levels: doubledLevels, significantBits: 4 },
];
