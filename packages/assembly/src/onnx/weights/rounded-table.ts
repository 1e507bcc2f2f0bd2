import { FailedPreconditionError } from "@mbs/contracts";
import { elementTypeNumbers, integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";

/** Values rounded to the nearest point of a grid a block. Value = (code - zero) · scale. */
interface RoundedBlocks {
  /** [rows, columns] */
  readonly codes: Uint8Array;
  /** [rows, blocks] */
  readonly scales: Float32Array;
  /** [rows, blocks] */
  readonly zeros: Uint8Array;
}

/** Columns that share a scale: few for few bits. */
const preferredSizes: Readonly<Record<4 | 8, number>> = { 4: 32, 8: 128 };

/** @throws {FailedPreconditionError} where the columns are no multiple of 16, the smallest block */
export function roundingBlock(columns: number, bits: 4 | 8, tensor: string): number {
  for (let size = preferredSizes[bits]; size >= 16; size /= 2) if (columns % size === 0) return size;
  throw new FailedPreconditionError(
    `${tensor}: rows of ${columns} cannot be cut into blocks of 16, which --embeddings int${bits} needs; use --embeddings f16`,
    { tensor, columns },
  );
}

/**
 * Rounds values to grids from each block's least to its largest value, zero included.
 *
 * @param values [rows, columns] row-major
 * @param blockSize divides the columns
 */
export function roundBlocks(values: Float32Array, blockSize: number, bits: 4 | 8): RoundedBlocks {
  const blocks = values.length / blockSize;
  const maximum = 2 ** bits - 1;
  const codes = new Uint8Array(values.length);
  const scales = new Float32Array(blocks);
  const zeros = new Uint8Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const [start, end] = [block * blockSize, (block + 1) * blockSize];
    let [least, most] = [0, 0];
    for (let index = start; index < end; index++) {
      const value = values[index] ?? 0;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    const scale = Math.fround((most - least) / maximum) || 1;
    const zero = Math.round(-least / scale);
    scales[block] = scale;
    zeros[block] = zero;
    for (let index = start; index < end; index++) {
      codes[index] = Math.max(0, Math.min(maximum, Math.round((values[index] ?? 0) / scale) + zero));
    }
  }
  return { codes, scales, zeros };
}

/** A table rounded in blocks: rows of packed codes, with a scale and a zero point for each block of a row. */
interface RoundedTable {
  /** uint8 [rows, columns · bits / 8] */
  readonly codes: string;
  /** float32 [rows, blocks] */
  readonly scales: string;
  /** uint8 [rows, ⌈blocks · bits / 8⌉] */
  readonly zeros: string;
  readonly bits: 4 | 8;
  readonly columns: number;
  readonly blocks: number;
}

/** Packed codes [T, bytes] → float32 [T, codes]; 4-bit ones have the first in the lower half of a byte. */
function unpack(graph: GraphBuilder, packed: string, bits: 4 | 8, columns: number): string {
  const cast = (value: string): string => graph.node("Cast", [value], { attributes: { to: elementTypeNumbers.float32 } });
  if (bits === 8) return cast(packed);
  const byte = (value: number): string => graph.constant({ type: "uint8", dims: [1], data: Uint8Array.of(value) });
  const halves = [
    graph.node("BitwiseAnd", [packed, byte(15)]),
    graph.node("BitShift", [packed, byte(4)], { attributes: { direction: "RIGHT" } }),
  ];
  const lastAxis = graph.constant(integerTensor([-1]));
  const columnsOfHalves = halves.map((half) => graph.node("Unsqueeze", [half, lastAxis]));
  const pairs = graph.node("Concat", columnsOfHalves, { attributes: { axis: -1 } });
  const flat = graph.node("Reshape", [pairs, graph.constant(integerTensor([0, -1]))]);
  // an odd number of codes leaves half a byte over
  const bounds = [0, columns, 1].map((value) => graph.constant(integerTensor([value])));
  const [from = "", to = "", axis = ""] = bounds;
  return cast(columns % 2 === 0 ? flat : graph.node("Slice", [flat, from, to, axis]));
}

/**
 * Rows of a rounded table, (code - zero) · scale, float32 [T, columns].
 *
 * Of plain operators: ONNX Runtime's GatherBlockQuantized is missing from its build for browsers.
 *
 * @param tokens int64 [T]
 */
export function gatherRounded(graph: GraphBuilder, table: RoundedTable, tokens: string): string {
  const { bits, columns, blocks } = table;
  const rowsOf = (values: string): string => graph.node("Gather", [values, tokens], { attributes: { axis: 0 } });
  const inBlocks = (values: string, size: number): string =>
    graph.node("Reshape", [values, graph.constant(integerTensor([-1, blocks, size]))]);
  const codes = inBlocks(unpack(graph, rowsOf(table.codes), bits, columns), columns / blocks);
  const zeros = inBlocks(unpack(graph, rowsOf(table.zeros), bits, blocks), 1);
  const scaled = graph.node("Mul", [graph.node("Sub", [codes, zeros]), inBlocks(rowsOf(table.scales), 1)]);
  return graph.node("Reshape", [scaled, graph.constant(integerTensor([-1, columns]))]);
}
