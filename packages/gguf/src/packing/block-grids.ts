import type { BlockRule } from "@mbs/numbers";
import { iq4Levels } from "../blocks/iq4-blocks.ts";
import { mxfp4Rule, packMxfp4 } from "../blocks/mxfp4.ts";
import { nvfp4Rule, packNvfp4 } from "../blocks/nvfp4.ts";
import { isInFiles, quantisationTypeNamed } from "../blocks/quantisation-types.ts";
import { codebooks, signedSizes, superColumns, type Codebook } from "../codebooks/codebooks.ts";
import type { Packer } from "./block-codes.ts";
import { codebookPacker } from "./codebook-packing.ts";
import { packIQ4NL, packIQ4XS } from "./iq4-packing.ts";
import { packQ2K, packQ3K, packQ4K, packQ5K, packQ6K } from "./k-packing.ts";
import { packQ40, packQ41, packQ50, packQ51, packQ80 } from "./legacy-packing.ts";

/** A quantisation type that weights can be rounded to. */
export interface BlockGrid {
  readonly rule: BlockRule;
  readonly pack: Packer;
  /** Which codes neighbouring columns can have together; absent where each column's is its own. */
  readonly codebook?: Codebook;
}

const legacy = (zero: number, maximum: number): BlockRule => ({ columns: 32, subColumns: 32, zero, maximum });
const offset = (maximum: number): BlockRule => ({ ...legacy(0, maximum), offsets: "half" });
const signed = (subColumns: number, zero: number, maximum: number, most: number): BlockRule => ({
  columns: 256,
  subColumns,
  zero,
  maximum,
  scales: { least: -most - 1, most },
});
const affine = (subColumns: number, maximum: number, most: number): BlockRule => ({
  columns: 256,
  subColumns,
  zero: 0,
  maximum,
  scales: { least: 1, most },
  offsets: { most },
});

/** Codes are the places of a size and its sign among all signed sizes. Scales of blocks are d · unit. */
const coded = (codebook: Codebook): BlockGrid => {
  const levels = signedSizes(codebook);
  return {
    rule: {
      columns: superColumns,
      subColumns: codebook.subColumns,
      zero: 0,
      maximum: levels.length - 1,
      levels,
      scales: { least: 1, most: 31 },
    },
    pack: codebookPacker(codebook),
    codebook,
  };
};

/** The types that weights can be rounded to, by name. */
export const blockGrids: ReadonlyMap<string, BlockGrid> = new Map<string, BlockGrid>([
  ["Q8_0", { rule: legacy(127, 254), pack: packQ80 }],
  ["Q4_0", { rule: legacy(8, 15), pack: packQ40 }],
  ["Q4_1", { rule: offset(15), pack: packQ41 }],
  ["Q5_0", { rule: legacy(16, 31), pack: packQ50 }],
  ["Q5_1", { rule: offset(31), pack: packQ51 }],
  ["Q2_K", { rule: affine(16, 3, 15), pack: packQ2K }],
  ["Q3_K", { rule: signed(16, 4, 7, 31), pack: packQ3K }],
  ["Q4_K", { rule: affine(32, 15, 63), pack: packQ4K }],
  ["Q5_K", { rule: affine(32, 31, 63), pack: packQ5K }],
  ["Q6_K", { rule: signed(16, 32, 63, 127), pack: packQ6K }],
  ["IQ4_NL", { rule: { ...legacy(0, 15), levels: iq4Levels }, pack: packIQ4NL }],
  ["IQ4_XS", { rule: { ...signed(32, 0, 15, 31), levels: iq4Levels }, pack: packIQ4XS }],
  ["MXFP4", { rule: mxfp4Rule, pack: packMxfp4 }],
  ["NVFP4", { rule: nvfp4Rule, pack: packNvfp4 }],
  ...Object.entries<Codebook>(codebooks).map(([name, codebook]) => [name, coded(codebook)] as const),
]);

/** Those that GGUF files hold. */
export const ggufGrids: readonly string[] = [...blockGrids.keys()].filter((name) => isInFiles(quantisationTypeNamed(name)));

/** Types that an allocation chooses between, if it does not say: each has another size. */
export const allocatedTypes: readonly string[] = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_0"];
