import { at, FailedPreconditionError } from "@mbs/contracts";
import { groupsIn, isSymmetric } from "../../layers/layer-grid.ts";
import type { LayerGrid } from "../../layers/layer-grid.ts";
import type { QuantisedLayer } from "../../layers/quantised-layer.ts";
import { layBlocks } from "./block-grid.ts";
import type { BlockGrid } from "./block-grid.ts";
import { orderCodes, packCodes, splitPlanes, spreadOverBlocks } from "./code-packing.ts";
import type { StoredTensor } from "./weight-files.ts";

/** How 3-bit codes are kept: as a plane of two bits and one of one, or each in 4 bits. */
export type ThreeBit = "planes" | "nibbles";

/** How a quantised weight is stored. */
export interface StoredWeight {
  readonly rows: number;
  readonly grid: BlockGrid;
  /** Of a code as MatMulNBits sees it. */
  readonly bits: 2 | 4 | 8;
  /** Whether 4-bit codes are joined from two planes in the graph. */
  readonly planes: boolean;
  /** Whether zero points are stored; without, they are 2^(bits - 1). */
  readonly zeros: boolean;
}

const storedBits: ReadonlyMap<number, 2 | 4 | 8> = new Map([
  [2, 2],
  [3, 4],
  [4, 4],
  [8, 8],
]);

/**
 * How a layer with codes is stored.
 *
 * @throws {FailedPreconditionError} for bits or groups that ONNX Runtime has no form for, naming the nearest
 */
export function planWeight(layer: QuantisedLayer, threeBit: ThreeBit): StoredWeight {
  const { rows, zeros } = layer;
  const { stored, grid } = planGrid(layer);
  return {
    rows,
    grid,
    bits: stored,
    planes: layer.grid.bits === 3 && threeBit === "planes",
    zeros: zeros.some((zero) => zero !== 2 ** (stored - 1)),
  };
}

/** The part of it that is known before there are codes. @throws as planWeight */
export function planGrid({ tensor, grid, groupOf }: LayerGrid): { readonly stored: 2 | 4 | 8; readonly grid: BlockGrid } {
  const { bits } = grid;
  const stored = storedBits.get(bits);
  if (stored === undefined) {
    throw new FailedPreconditionError(
      `${tensor}: ${bits} bits cannot be written as ONNX, whose weights have 2, 3, 4 or 8; compress with --bits 4 or --bits 8`,
      { tensor, bits },
    );
  }
  return { stored, grid: layBlocks(groupOf, bits, tensor) };
}

/** Bytes of a weight whose codes are still to be made. */
export function plannedWeightBytes(layer: LayerGrid, threeBit: ThreeBit): number {
  const { stored: bits, grid } = planGrid(layer);
  const planes = layer.grid.bits === 3 && threeBit === "planes";
  const zeros = !isSymmetric(layer.grid) || layer.grid.bits !== bits;
  return weightTensors({ rows: layer.rows, grid, bits, planes, zeros }).reduce((sum, { bytes }) => sum + bytes, 0);
}

const byteTensor = (...dims: number[]): StoredTensor => ({
  type: "uint8",
  dims,
  bytes: dims.reduce((product, side) => product * side, 1),
});

/** The tensors of a weight in the order in which `packWeight` gives their bytes: codes or planes, scales, zero points. */
export function weightTensors({ rows, grid, bits, planes, zeros }: StoredWeight): readonly StoredTensor[] {
  const { blockSize, groupOf } = grid;
  const blocks = groupOf.length;
  return [
    ...(planes
      ? [byteTensor(rows, blocks, blockSize / 4), byteTensor(rows, blocks, blockSize / 8)]
      : [byteTensor(rows, blocks, (blockSize * bits) / 8)]),
    { type: "float32", dims: [rows * blocks], bytes: rows * blocks * 4 },
    ...(zeros ? [byteTensor(rows * Math.ceil((blocks * bits) / 8))] : []),
  ];
}

/** A byte a code in blocks, columns in their order; padding behind the last column is a zero point. */
function layCodes(layer: QuantisedLayer, { grid }: StoredWeight): Uint8Array {
  const { rows, zeros } = layer;
  const groups = groupsIn(layer);
  const { columns, blockSize, order, groupOf } = grid;
  const codes = layer.codes();
  const padded = groupOf.length * blockSize;
  if (order === undefined && padded === columns) return codes;
  const lastGroup = at(groupOf, groupOf.length - 1);
  const padding = Uint8Array.from({ length: rows }, (_, row) => at(zeros, row * groups + lastGroup));
  return orderCodes(codes, order ?? Int32Array.from({ length: columns }, (_, position) => position), padded, padding);
}

/** The bytes of the tensors of `weightTensors`. */
export function packWeight(layer: QuantisedLayer, stored: StoredWeight): readonly Uint8Array[] {
  const { rows, grid, bits, planes } = stored;
  const { blockSize, groupOf } = grid;
  const blocks = groupOf.length;
  const packed = packCodes(layCodes(layer, stored), rows, blocks * blockSize, bits);
  const scales = spreadOverBlocks(layer.scales, new Float32Array(rows * blocks), rows, groupOf);
  const codes = planes ? splitPlanes(packed, blockSize / 2) : undefined;
  return [
    ...(codes === undefined ? [packed] : [codes.low, codes.high]),
    new Uint8Array(scales.buffer),
    ...(stored.zeros
      ? [packCodes(spreadOverBlocks(layer.zeros, new Uint8Array(rows * blocks), rows, groupOf), rows, blocks, bits)]
      : []),
  ];
}
