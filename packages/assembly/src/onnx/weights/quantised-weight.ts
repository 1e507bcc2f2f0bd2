import { FailedPreconditionError } from "@mbs/contracts";
import type { LayerGrid } from "../../layers/layer-grid.ts";
import type { QuantisedLayer } from "../../layers/quantised-layer.ts";
import { layBlocks } from "./block-grid.ts";
import type { BlockGrid } from "./block-grid.ts";
import { packCodes, splitPlanes } from "./code-packing.ts";
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
  const { rows, bits, zeros } = layer;
  const { stored, grid } = planGrid(layer);
  return {
    rows,
    grid,
    bits: stored,
    planes: bits === 3 && threeBit === "planes",
    zeros: zeros.some((zero) => zero !== 2 ** (stored - 1)),
  };
}

/** The part of it that is known before there are codes. @throws as planWeight */
export function planGrid({ tensor, bits, groupOf }: LayerGrid): { readonly stored: 2 | 4 | 8; readonly grid: BlockGrid } {
  const stored = storedBits.get(bits);
  if (stored === undefined) {
    throw new FailedPreconditionError(
      `${tensor}: ${bits} bits cannot be written as ONNX, whose weights have 2, 3, 4 or 8; compress with --bits 4 or --bits 8`,
      { tensor, bits },
    );
  }
  return { stored, grid: layBlocks(groupOf, bits, tensor) };
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

/** A byte a code in blocks, columns in their order; what stands behind the last column is a zero point. */
function layCodes(layer: QuantisedLayer, { grid }: StoredWeight): Uint8Array {
  const { rows, groups, zeros } = layer;
  const { columns, blockSize, order, groupOf } = grid;
  const codes = layer.codes();
  const padded = groupOf.length * blockSize;
  if (order === undefined && padded === columns) return codes;
  const laid = new Uint8Array(rows * padded);
  for (let row = 0; row < rows; row++) {
    for (let position = 0; position < columns; position++) {
      laid[row * padded + position] = codes[row * columns + (order?.[position] ?? position)] ?? 0;
    }
    laid.fill(zeros[row * groups + (groupOf.at(-1) ?? 0)] ?? 0, row * padded + columns, (row + 1) * padded);
  }
  return laid;
}

/** The value of each block, from those of the groups. */
function byBlock<Values extends Float32Array | Uint8Array>(
  values: Values,
  target: Values,
  rows: number,
  groupOf: Int32Array,
): Values {
  const groups = values.length / rows;
  const blocks = groupOf.length;
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) target[row * blocks + block] = values[row * groups + (groupOf[block] ?? 0)] ?? 0;
  }
  return target;
}

/** The bytes of the tensors of `weightTensors`. */
export function packWeight(layer: QuantisedLayer, stored: StoredWeight): readonly Uint8Array[] {
  const { rows, grid, bits, planes } = stored;
  const { blockSize, groupOf } = grid;
  const blocks = groupOf.length;
  const packed = packCodes(layCodes(layer, stored), rows, blocks * blockSize, bits);
  const scales = byBlock(layer.scales, new Float32Array(rows * blocks), rows, groupOf);
  const codes = planes ? splitPlanes(packed, blockSize / 2) : undefined;
  return [
    ...(codes === undefined ? [packed] : [codes.low, codes.high]),
    new Uint8Array(scales.buffer),
    ...(stored.zeros ? [packCodes(byBlock(layer.zeros, new Uint8Array(rows * blocks), rows, groupOf), rows, blocks, bits)] : []),
  ];
}
