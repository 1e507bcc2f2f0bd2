import { at, BadDataError, quoted } from "@mbs/contracts";
import { blockGrids, quantisationTypeNamed } from "@mbs/gguf";
import { findNonfinite, roundTo, type WeightDtype } from "@mbs/numbers";
import type { LayerRecord, TensorData, TensorDtype } from "../../kinds/records.ts";
import { layerShape, layerValues, rowRanges } from "../../written-values.ts";
import { areOfCodes, clearRemoved, countOnes, dequantise, findAbove, findOther, unpackMask, type Grid } from "./layer-values.ts";
import { findMisplaced } from "./matrix-checks.ts";

/** What may stand for the Gram in the figures of a summary. */
const moments = ["diagonal", "identity"];

/** How far sparsity may be from its mask's: rounding of a float64 quotient. */
const roundingOfShare = 1e-6;

const rowAndColumn = (index: number, columns: number): string => `row ${Math.floor(index / columns)}, column ${index % columns}`;

function refuse({ tensor }: LayerRecord, fault: string): never {
  throw new BadDataError(`layer ${tensor}: ${fault}; compress again`, { tensor });
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
  if (wrong >= 0) refuse(layer, `its ${name} hold ${values[wrong]} at ${rowAndColumn(wrong, columns)}, not finite and above 0`);
}

/** @param bits of each number */
function requireBits(layer: LayerRecord, name: string, values: Uint8Array, columns: number, bits: number): void {
  const wrong = findAbove(values, 2 ** bits - 1);
  if (wrong < 0) return;
  refuse(layer, `its ${name} hold ${values[wrong]} at ${rowAndColumn(wrong, columns)}, which ${bits} bits do not`);
}

/** The grid of a layer whose parts fit each other; undefined where it has no codes. */
function readGrid(layer: LayerRecord): Grid | undefined {
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
  if (bits < 1 || bits > 8) refuse(layer, `its codes are of ${bits} bits, not of 1 to 8`);
  if (groupSize < 1) refuse(layer, `its groups are of ${groupSize} columns`);
  const groups = Math.ceil(columns / groupSize);
  const grid: Grid = {
    codes: readPart(layer, ["codes", codes], "u8", rows, columns),
    scales: new Float32Array(readPart(layer, ["scales", scales], "f32", rows, groups).buffer),
    zeros: readPart(layer, ["zeros", zeros], "u8", rows, groups),
    groupOf: new Int32Array(readPart(layer, ["groups", groupOf], "i32", 1, columns).buffer),
    groups,
  };
  requireBits(layer, "codes", grid.codes, columns, bits);
  requireBits(layer, "zeros", grid.zeros, groups, bits);
  requirePositive(layer, "scales", grid.scales, groups);
  const sizes = new Int32Array(groups);
  for (const [column, group] of grid.groupOf.entries()) {
    if (group < 0 || group >= groups) refuse(layer, `column ${column} is in group ${group} of ${groups}`);
    const size = at(sizes, group) + 1;
    sizes[group] = size;
    if (size > groupSize) refuse(layer, `column ${column} is beyond the size of group ${group}, ${groupSize}`);
  }
  return grid;
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

/** Refuses values that are not finite, or do not follow from mask and codes. */
function requireValues(layer: LayerRecord, grid: Grid | undefined, mask: Uint8Array | undefined): void {
  const { values: stored, blocks } = layer;
  const { rows, columns, dtype } = layerShape(layer);
  for (const [first, last] of rowRanges({ rows, columns })) {
    if (grid !== undefined && mask === undefined && stored?.dtype === "bf16") {
      const { data } = cutRows(stored, first, last);
      const bits = data.byteOffset % 2 === 0 ? data : new Uint8Array(data);
      const words = new Uint16Array(bits.buffer, bits.byteOffset, bits.byteLength / 2);
      if (areOfCodes(words, grid, first, 2 ** (layer.summary.bits ?? 8))) continue;
    }
    const some = stored ? { values: cutRows(stored, first, last) } : blocks && { blocks: cutRows(blocks, first, last) };
    const values = layerValues({ ...layer, ...some });
    const refuseAt = (index: number, fault: string): void =>
      refuse(layer, `its values hold ${values[index]} at ${rowAndColumn(first * columns + index, columns)}${fault}`);
    const nonfinite = findNonfinite(values);
    if (nonfinite >= 0) refuseAt(nonfinite, "");
    if (grid === undefined && mask === undefined) continue;
    // without codes a kept value is what it is
    const expected = grid ? roundTo(dtype as WeightDtype, dequantise(grid, first, last)) : values.slice();
    const kept = mask && unpackMask(mask, columns, first, last);
    if (kept !== undefined) clearRemoved(expected, kept);
    const other = findOther(values, expected);
    if (other < 0) continue;
    refuseAt(other, kept?.[other] === 0 ? ", which its mask removes" : `, its codes say ${expected[other]}`);
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
  requireValues(layer, readGrid(layer), readMask(layer));
}
