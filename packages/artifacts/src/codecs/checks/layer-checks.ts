import { at, BadDataError, quoted, type QuantisedWeight } from "@mbs/contracts";
import { blockGrids, quantisationTypeNamed } from "@mbs/gguf";
import {
  codedGridFault,
  codedValuesFault,
  codedWeightFault,
  findNonfinite,
  placeOf,
  type PartFault,
  type WeightDtype,
} from "@mbs/numbers";
import type { LayerRecord, TensorData, TensorDtype } from "../../kinds/records.ts";
import { layerShape, layerValues, rowRanges } from "../../written-values.ts";
import { findMisplaced } from "./matrix-checks.ts";

/** What may stand for the Gram in the figures of a summary. */
const moments = ["diagonal", "identity"];

/** How far sparsity may be from its mask's: rounding of a float64 quotient. */
const roundingOfShare = 1e-6;

function refuse({ tensor }: LayerRecord, fault: string): never {
  throw new BadDataError(`layer ${tensor}: ${fault}; compress again`, { tensor });
}

function refuseFault(layer: LayerRecord, fault: PartFault | undefined): void {
  if (fault !== undefined) refuse(layer, `its ${fault.part} ${fault.says}`);
}

type NamedPart = readonly [name: string, part: TensorData | undefined];

/** The bytes of a part, at any offset. */
function partBytes(layer: LayerRecord, [name, part]: NamedPart, dtype: TensorDtype, rows: number, columns: number): Uint8Array {
  const wanted = `${dtype} [${rows}, ${columns}]`;
  const found = part === undefined ? "absent" : `${part.dtype} [${part.rows}, ${part.columns}]`;
  if (part === undefined || found !== wanted) return refuse(layer, `its ${name} are ${found}, not ${wanted}`);
  return part.data;
}

/** The same, copied so that values of 4 bytes are aligned. */
const readPart = (...args: Parameters<typeof partBytes>): Uint8Array<ArrayBuffer> => new Uint8Array(partBytes(...args));

function requirePositive(layer: LayerRecord, name: string, values: Float32Array, columns: number): void {
  const wrong = values.findIndex((value) => !(Number.isFinite(value) && value > 0));
  if (wrong >= 0) refuse(layer, `its ${name} hold ${values[wrong]} at ${placeOf(wrong, columns)}, not finite and above 0`);
}

/** The codes of a layer, whose parts fit each other; undefined where it has none. */
function readCoded(layer: LayerRecord): QuantisedWeight | undefined {
  const { codes, scales, zeros, groups: groupOf, summary } = layer;
  const { rows, columns } = layerShape(layer);
  const { bits, groupSize, symmetric } = summary;
  const stated = [bits, groupSize, symmetric, codes, scales, zeros, groupOf];
  if (stated.every((part) => part === undefined)) return undefined;
  if (bits === undefined || groupSize === undefined || symmetric === undefined) {
    return refuse(
      layer,
      "it has codes, scales, zeros or groups, and its summary does not say all of bits, groupSize and symmetric",
    );
  }
  // before the parts, whose shapes follow from it
  refuseFault(layer, codedGridFault({ bits, groupSize }, columns));
  const groups = Math.ceil(columns / groupSize);
  const coded: QuantisedWeight = {
    bits,
    groupSize,
    symmetric,
    codes: readPart(layer, ["codes", codes], "u8", rows, columns),
    scales: new Float32Array(readPart(layer, ["scales", scales], "f32", rows, groups).buffer),
    zeros: readPart(layer, ["zeros", zeros], "u8", rows, groups),
    groupOf: new Int32Array(readPart(layer, ["groups", groupOf], "i32", 1, columns).buffer),
  };
  refuseFault(layer, codedWeightFault(coded, rows, columns));
  return coded;
}

/** How many bits are 1. */
function countOnes(bytes: Uint8Array): number {
  let ones = 0;
  for (const bits of bytes) for (let left = bits; left !== 0; left &= left - 1) ones += 1;
  return ones;
}

/** The bits of a mask, [rows, ⌈columns / 8⌉]; undefined where there is none. */
function readMask(layer: LayerRecord): Uint8Array | undefined {
  if (layer.mask === undefined) return undefined;
  const { rows, columns } = layerShape(layer);
  const bits = readPart(layer, ["mask", layer.mask], "u1", rows, columns);
  const stride = Math.ceil(columns / 8);
  const padding = columns % 8 === 0 ? 0 : (0xff << (columns % 8)) & 0xff;
  for (let row = 0; row < rows; row += 1) {
    if ((at(bits, (row + 1) * stride - 1) & padding) !== 0)
      refuse(layer, `its mask keeps columns beyond ${columns} in row ${row}`);
  }
  const removed = 1 - countOnes(bits) / (rows * columns);
  const { sparsity } = layer.summary;
  if (Math.abs(removed - sparsity) > roundingOfShare) {
    refuse(layer, `its mask removes ${removed} of its values, its summary says ${sparsity}`);
  }
  return bits;
}

/** Refuses blocks of an unknown type, or in rows that are no whole blocks of it. */
function requireBlocks(layer: LayerRecord): void {
  const { blocks, blockColumns, summary } = layer;
  const { grid } = summary;
  if (blocks === undefined) {
    if (blockColumns !== undefined) refuse(layer, "it has block-columns and no blocks");
    if (grid !== undefined) refuse(layer, `its summary names the grid ${quoted(grid)}, and it has no blocks`);
    return;
  }
  if (grid === undefined) return refuse(layer, "it has blocks, and its summary names no grid");
  if (!blockGrids.has(grid)) return refuse(layer, `its grid ${quoted(grid)} is none of ${[...blockGrids.keys()].join(", ")}`);
  const { dtype, rows, columns } = blocks;
  if (dtype === "u8" && columns % quantisationTypeNamed(grid).bytes === 0) return;
  refuse(layer, `its blocks are ${dtype} [${rows}, ${columns}], no rows of whole blocks of ${grid}`);
}

/** Refuses an order of the blocks' columns that is none. */
function requirePlaces(layer: LayerRecord): void {
  const { blockColumns } = layer;
  if (blockColumns === undefined) return;
  const { columns } = layerShape(layer);
  const order = new Int32Array(readPart(layer, ["block-columns", blockColumns], "i32", 1, columns).buffer);
  if (findMisplaced(order) >= 0) refuse(layer, `its block-columns are not the columns 0 to ${columns - 1}, each once`);
}

/** The rows of a part from `first` to before `last`. */
function cutRows({ dtype, rows, columns, data }: TensorData, first: number, last: number): TensorData {
  const stride = data.length / rows;
  return { dtype, rows: last - first, columns, data: data.subarray(first * stride, last * stride) };
}

/** Whether a mask keeps each value of the rows from `first` to before `last`, a byte each: 1 where it does. */
function unpackMask(mask: Uint8Array, columns: number, first: number, last: number): Uint8Array {
  const stride = Math.ceil(columns / 8);
  const kept = new Uint8Array((last - first) * columns);
  for (let row = first, start = 0; row < last; row += 1, start += columns) {
    for (let column = 0; column < columns; column += 1) {
      kept[start + column] = (at(mask, row * stride + (column >> 3)) >> (column & 7)) & 1;
    }
  }
  return kept;
}

/** Refuses values that are not finite, or do not follow from mask and codes. */
function requireValues(layer: LayerRecord, coded: QuantisedWeight | undefined, mask: Uint8Array | undefined): void {
  const { values: stored, blocks } = layer;
  const { rows, columns, dtype } = layerShape(layer);
  for (const [firstRow, lastRow] of rowRanges({ rows, columns })) {
    const some = stored
      ? { values: cutRows(stored, firstRow, lastRow) }
      : blocks && { blocks: cutRows(blocks, firstRow, lastRow) };
    const values = layerValues({ ...layer, ...some });
    const nonfinite = findNonfinite(values);
    if (nonfinite >= 0) {
      refuse(layer, `its values hold ${values[nonfinite]} at ${placeOf(firstRow * columns + nonfinite, columns)}`);
    }
    const kept = mask && unpackMask(mask, columns, firstRow, lastRow);
    refuseFault(layer, codedValuesFault({ values, columns, firstRow, dtype: dtype as WeightDtype, coded, kept }));
  }
}

/**
 * Refuses an invalid layer: numbers that are not finite or out of range, groups that do not exist, values that do not follow
 * from mask and codes. The code of a weight that the mask removes is not checked.
 *
 * @throws {BadDataError} naming the part, row and column
 */
export function requireLayer(layer: LayerRecord): void {
  const { inputScale, summary } = layer;
  const moment: string | undefined = summary.moment;
  if (moment !== undefined && !moments.includes(moment))
    refuse(layer, `its moment ${quoted(moment)} is not ${moments.join(" or ")}`);
  requireBlocks(layer);
  requirePlaces(layer);
  if (inputScale !== undefined) {
    const { columns } = layerShape(layer);
    const scales = readPart(layer, ["input-scale", inputScale], "f32", 1, columns);
    requirePositive(layer, "input-scale", new Float32Array(scales.buffer), columns);
  }
  requireValues(layer, readCoded(layer), readMask(layer));
}
