import { layoutIQ2S, layoutIQ2XS, layoutIQ2XXS, layoutIQ3S, layoutIQ3XXS, type CodebookLayout } from "./layouts.ts";
import { pointsIQ2S, pointsIQ2XS, pointsIQ2XXS, pointsIQ3S, pointsIQ3XXS } from "./points.ts";

/**
 * Which values neighbouring columns of a row can have together: sizes that are a point of a table, and signs. A value is
 * d · `unit` · s · size, with d of the super-block of 256 and s of the sub-block, an odd number from 1 to 31.
 */
export interface Codebook {
  /** Columns of a point. */
  readonly width: number;
  /** Columns that share s. */
  readonly subColumns: number;
  /** What the numbers in points stand for, rising. */
  readonly sizes: Uint8Array;
  /** As `points.ts` describes them. */
  readonly points: Uint16Array;
  readonly unit: number;
  /** Whether of each eight signs an even count is negative, so that the last one follows from the others. */
  readonly evenSigns: boolean;
  readonly layout: CodebookLayout;
}

/** Columns of a super-block. */
export const superColumns = 256;

/** Bits of a column in a point. */
export const pointBits = ({ width }: Codebook): number => 16 / width;

/** All sizes with both signs, rising: what codes stand for. */
export const signedSizes = ({ sizes }: Pick<Codebook, "sizes">): Int8Array =>
  Int8Array.from([...Array.from(sizes, (size) => -size).toReversed(), ...sizes]);

function pointsOf(text: string): Uint16Array {
  const bytes = Buffer.from(text, "base64");
  return Uint16Array.from({ length: bytes.length / 2 }, (_, point) => bytes.readUInt16LE(2 * point));
}

const twoBits = { width: 8, sizes: Uint8Array.of(8, 25, 43), unit: 1 / 8 } as const;

const iq2XXS: Codebook = {
  ...twoBits,
  subColumns: 32,
  points: pointsOf(pointsIQ2XXS),
  evenSigns: true,
  layout: layoutIQ2XXS,
};
const iq2XS: Codebook = {
  ...twoBits,
  subColumns: 16,
  points: pointsOf(pointsIQ2XS),
  evenSigns: true,
  layout: layoutIQ2XS,
};
const iq2S: Codebook = { ...twoBits, subColumns: 16, points: pointsOf(pointsIQ2S), evenSigns: false, layout: layoutIQ2S };
const iq3XXS: Codebook = {
  width: 4,
  subColumns: 32,
  sizes: Uint8Array.of(4, 12, 20, 28, 36, 44, 52, 62),
  points: pointsOf(pointsIQ3XXS),
  unit: 1 / 4,
  evenSigns: true,
  layout: layoutIQ3XXS,
};
const iq3S: Codebook = {
  width: 4,
  subColumns: 32,
  sizes: Uint8Array.of(1, 3, 5, 7, 9, 11, 13, 15),
  points: pointsOf(pointsIQ3S),
  unit: 1,
  evenSigns: false,
  layout: layoutIQ3S,
};

/** The codebook types by name, from the most bits down. */
export const codebooks = {
  IQ3_S: iq3S,
  IQ3_XXS: iq3XXS,
  IQ2_S: iq2S,
  IQ2_XS: iq2XS,
  IQ2_XXS: iq2XXS,
} as const satisfies Readonly<Record<string, Codebook>>;
