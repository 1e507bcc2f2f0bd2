import { at, BadDataError } from "@mbs/contracts";
import { decodeE4m3, roundTo } from "@mbs/numbers";
import type { WeightDtype } from "@mbs/numbers";
import type { Checkpoint } from "../checkpoint.ts";
import { transpose } from "../weight-reader.ts";
import type { PackedScheme } from "./compressed-tensors-config.ts";
import { unpackNumbers, unpackValues } from "./packed-values.ts";
import type { PackedWeight } from "./packed-values.ts";

/** What the codes of E2M1 stand for: a sign, two bits of exponent and one of mantissa (OCP Microscaling Formats 1.0, 5.3.3). */
const e2m1 = Float32Array.of(0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6);

/** A linear layer that is stored packed. */
export interface QuantisedLinear {
  /** [rows, columns] */
  readonly shape: readonly [number, number];
  /** The tensors that hold it. */
  readonly tensors: readonly string[];
  /** [rows, columns] */
  values(): Promise<Float32Array>;
  /** Its codes on grids of groups; absent where it has none. */
  readonly packed?: () => Promise<PackedWeight>;
}

/** A linear layer of codes on grids of groups. */
const ofCodes = ({ packed, ...linear }: Omit<QuantisedLinear, "values"> & Required<Pick<QuantisedLinear, "packed">>) => ({
  ...linear,
  packed,
  values: async () => unpackValues(await packed()),
});

async function readWords(checkpoint: Checkpoint, name: string): Promise<Int32Array> {
  requireStored(checkpoint, name, "I32");
  return new Int32Array((await checkpoint.readRaw(name)).buffer as ArrayBuffer);
}

function requireShape(checkpoint: Checkpoint, name: string, shape: readonly number[]): void {
  const found = checkpoint.info(name).shape;
  if (found.join() === shape.join()) return;
  throw new BadDataError(
    `tensor ${name} has shape [${found.join(", ")}] where its layer asks for [${shape.join(", ")}]; download the model again`,
    { tensor: name },
  );
}

/** @throws {BadDataError} where a tensor is no matrix */
function matrixShape(checkpoint: Checkpoint, name: string): readonly [rows: number, columns: number] {
  const { shape } = checkpoint.info(name);
  const [rows, columns, ...more] = shape;
  if (rows !== undefined && columns !== undefined && more.length === 0) return [rows, columns];
  throw new BadDataError(`tensor ${name} has shape [${shape.join(", ")}], not two dimensions; download the model again`, {
    tensor: name,
  });
}

/** The shape that is stored in a tensor of two int64. @throws {BadDataError} where it is another tensor */
async function readShape(checkpoint: Checkpoint, name: string): Promise<readonly [rows: number, columns: number]> {
  const { storedDtype, shape } = checkpoint.info(name);
  if (storedDtype !== "I64" || shape.join() !== "2")
    throw new BadDataError(
      `tensor ${name} is ${storedDtype} [${shape.join(", ")}], not the two I64 of a shape; download the model again`,
      { tensor: name },
    );
  const sides = new BigInt64Array((await checkpoint.readRaw(name)).buffer as ArrayBuffer);
  return [Number(at(sides, 0)), Number(at(sides, 1))];
}

/** Bits of a number, given how many words hold `length` numbers. */
function bitsFor(words: number, length: number, name: string): number {
  const bits = Math.floor((words * 32) / length);
  if (bits >= 2 && bits <= 8 && Math.ceil((length * bits) / 32) === words) return bits;
  throw new BadDataError(
    `tensor ${name}: ${length} numbers in ${words} words of 32 bits fit no number of bits from 2 to 8; take the dense model`,
    { tensor: name },
  );
}

/**
 * A layer of a GPTQ checkpoint.
 *
 * @param module its name, without ".qweight"
 * @param zeroOffset what is to be added to stored zeros: 1 in version 1, 0 in version 2
 * @param dtype of the model, to which programs round the scales when they load them
 */
export function gptqLinear(checkpoint: Checkpoint, module: string, zeroOffset: number, dtype: WeightDtype): QuantisedLinear {
  const [qweight, qzeros] = [`${module}.qweight`, `${module}.qzeros`];
  const [scales, gIdx] = [`${module}.scales`, `${module}.g_idx`];
  const [packedColumns, rows] = matrixShape(checkpoint, qweight);
  const [columns] = checkpoint.info(gIdx).shape;
  if (columns === undefined)
    throw new BadDataError(`tensor ${gIdx} is one number, not a group for each column; download the model again`, {
      tensor: gIdx,
    });
  const [groups] = matrixShape(checkpoint, scales);
  const bits = bitsFor(packedColumns, columns, qweight);
  requireShape(checkpoint, scales, [groups, rows]);
  requireShape(checkpoint, qzeros, [groups, Math.ceil((rows * bits) / 32)]);
  const zeroWords = Math.ceil((rows * bits) / 32);
  return ofCodes({
    shape: [rows, columns],
    tensors: [qweight, qzeros, scales, gIdx],
    async packed() {
      const codes = await readWords(checkpoint, qweight);
      const zeros = await readWords(checkpoint, qzeros);
      const groupOf = await readWords(checkpoint, gIdx);
      const scale = roundTo(dtype, await checkpoint.readF32(scales));
      if (groupOf.some((group) => group < 0 || group >= groups))
        throw new BadDataError(`tensor ${gIdx} names a group that ${scales} does not have; download the model again`, {
          tensor: gIdx,
        });
      const stored = unpackNumbers({ words: zeros, bits, lists: groups, length: rows, stride: zeroWords, block: 1 });
      return {
        rows,
        columns,
        bits,
        codes: unpackNumbers({ words: codes, bits, lists: rows, length: columns, stride: 1, block: rows }),
        groups: groupOf,
        zeros: Int16Array.from(stored, (zero) => zero + zeroOffset),
        scales: scale,
      };
    },
  });
}

/**
 * The scheme by which a layer is packed. Schemes are told apart by the shapes that they give to tensors, not by their names,
 * which programs change.
 */
function schemeOf(
  schemes: readonly PackedScheme[],
  layer: { readonly columns: number; readonly words: number; readonly groups: number; readonly symmetric: boolean },
  tensor: string,
): PackedScheme {
  const { columns, words, groups, symmetric } = layer;
  const fitting = schemes.filter(
    (scheme) =>
      scheme.symmetric === symmetric &&
      Math.ceil((columns * scheme.bits) / 32) === words &&
      (scheme.groupSize === undefined ? 1 : Math.ceil(columns / scheme.groupSize)) === groups,
  );
  const [first] = fitting;
  if (first !== undefined && fitting.every(({ bits }) => bits === first.bits)) return first;
  const shape = `${columns} columns in ${words} words and ${groups} groups, ${symmetric ? "without" : "with"} zero points`;
  const found = first === undefined ? "fit no config group" : "fit several config groups";
  throw new BadDataError(`tensor ${tensor}: ${shape}, ${found} of config.json; take the dense model`, { tensor });
}

/**
 * A layer of a compressed-tensors checkpoint in the format pack-quantized. Codes and zeros are stored as unsigned numbers.
 *
 * @param module its name, without ".weight_packed"
 * @param schemes of all config groups
 */
export async function packedLinear(
  checkpoint: Checkpoint,
  module: string,
  schemes: readonly PackedScheme[],
): Promise<QuantisedLinear> {
  const [packed, scales] = [`${module}.weight_packed`, `${module}.weight_scale`];
  const [zeroPoint, shapeName] = [`${module}.weight_zero_point`, `${module}.weight_shape`];
  const [rows, columns] = await readShape(checkpoint, shapeName);
  const [, words] = matrixShape(checkpoint, packed);
  const [, groups] = matrixShape(checkpoint, scales);
  const symmetric = !checkpoint.has(zeroPoint);
  const { bits } = schemeOf(schemes, { columns, words, groups, symmetric }, packed);
  requireShape(checkpoint, packed, [rows, words]);
  requireShape(checkpoint, scales, [rows, groups]);
  if (!symmetric) requireShape(checkpoint, zeroPoint, [Math.ceil((rows * bits) / 32), groups]);
  const groupSize = columns / groups;
  if (!Number.isInteger(groupSize))
    throw new BadDataError(
      `tensor ${scales}: ${columns} columns do not divide into ${groups} equal groups; download the model again`,
      {
        tensor: scales,
      },
    );
  return ofCodes({
    shape: [rows, columns],
    tensors: [packed, scales, shapeName, ...(symmetric ? [] : [zeroPoint])],
    async packed() {
      const codes = await readWords(checkpoint, packed);
      const zeros = symmetric
        ? new Int16Array(groups * rows).fill(2 ** (bits - 1))
        : Int16Array.from(
            unpackNumbers({
              words: await readWords(checkpoint, zeroPoint),
              bits,
              lists: groups,
              length: rows,
              stride: 1,
              block: groups,
            }),
          );
      return {
        rows,
        columns,
        bits,
        codes: unpackNumbers({ words: codes, bits, lists: rows, length: columns, stride: words, block: 1 }),
        groups: Int32Array.from({ length: columns }, (_, column) => Math.floor(column / groupSize)),
        zeros,
        scales: transpose(await checkpoint.readF32(scales), rows),
      };
    },
  });
}

function requireStored(checkpoint: Checkpoint, name: string, dtype: string): void {
  const { storedDtype } = checkpoint.info(name);
  if (storedDtype === dtype) return;
  throw new BadDataError(`tensor ${name} is ${storedDtype}, not ${dtype}; is it packed by another program?`, { tensor: name });
}

async function readBytes(checkpoint: Checkpoint, name: string, offset?: number, length?: number): Promise<Uint8Array> {
  requireStored(checkpoint, name, "U8");
  return checkpoint.readRaw(name, offset, length);
}

/** Columns that share a power of two. */
const mxfp4Block = 32;

/** The exponent that stands for no number. */
const brokenExponent = 255;

/** @param codes of E2M1, two in a byte, the first in the low half. @param scales each of as many values as the others */
function e2m1Values(codes: Uint8Array, scales: Float32Array): Float32Array {
  const values = new Float32Array(2 * codes.length);
  const pairs = codes.length / scales.length;
  for (const [block, scale] of scales.entries()) {
    for (let index = block * pairs; index < (block + 1) * pairs; index += 1) {
      const pair = at(codes, index);
      values[2 * index] = at(e2m1, pair & 15) * scale;
      values[2 * index + 1] = at(e2m1, pair >> 4) * scale;
    }
  }
  return values;
}

/** @param exponents of powers of two, with 127 added, each of 32 values; broken ones count as 0 */
const mxfp4Values = (codes: Uint8Array, exponents: Uint8Array): Float32Array =>
  e2m1Values(
    codes,
    Float32Array.from(exponents, (exponent) => (exponent === brokenExponent ? 0 : 2 ** (exponent - 127))),
  );

/**
 * A layer of a compressed-tensors checkpoint in the format mxfp4-pack-quantized: two codes of E2M1 a byte, the first of two
 * neighbours in its low half, and a power of two for each 32 columns.
 *
 * @param module its name, without ".weight_packed"
 */
export function mxfp4Linear(checkpoint: Checkpoint, module: string): QuantisedLinear {
  const [packed, scales] = [`${module}.weight_packed`, `${module}.weight_scale`];
  const [rows, pairs] = matrixShape(checkpoint, packed);
  const columns = 2 * pairs;
  requireShape(checkpoint, scales, [rows, columns / mxfp4Block]);
  return {
    shape: [rows, columns],
    tensors: [packed, scales],
    async values() {
      const [codes, exponents] = [await readBytes(checkpoint, packed), await readBytes(checkpoint, scales)];
      const broken = exponents.indexOf(brokenExponent);
      if (broken >= 0) checkpoint.noteNonfinite(scales, broken, NaN);
      return mxfp4Values(codes, exponents);
    },
  };
}

/** Columns that share a scale of E4M3. */
const nvfp4Block = 16;

/**
 * A layer of a compressed-tensors checkpoint in the format nvfp4-pack-quantized: codes as in `mxfp4Linear`, and for each 16 columns
 * a scale in E4M3, divided by the one float32 of the tensor. Scales and values are rounded to float32, as the library does.
 *
 * @param module its name, without ".weight_packed"
 */
export function nvfp4Linear(checkpoint: Checkpoint, module: string): QuantisedLinear {
  const [packed, scales, global] = [`${module}.weight_packed`, `${module}.weight_scale`, `${module}.weight_global_scale`];
  const [rows, pairs] = matrixShape(checkpoint, packed);
  const columns = 2 * pairs;
  requireShape(checkpoint, scales, [rows, columns / nvfp4Block]);
  requireShape(checkpoint, global, [1]);
  requireStored(checkpoint, scales, "F8_E4M3");
  requireStored(checkpoint, global, "F32");
  return {
    shape: [rows, columns],
    tensors: [packed, scales, global],
    async values() {
      const [codes, stored] = [await readBytes(checkpoint, packed), decodeE4m3(await checkpoint.readRaw(scales))];
      const divisor = at(await checkpoint.readF32(global), 0);
      const broken = stored.findIndex(Number.isNaN);
      if (broken >= 0) checkpoint.noteNonfinite(scales, broken, NaN);
      if (!(divisor > 0 && divisor < Infinity)) {
        throw new BadDataError(`tensor ${global} is ${divisor}, not above zero; download the model again`, { tensor: global });
      }
      return e2m1Values(
        codes,
        stored.map((scale) => (Number.isNaN(scale) ? 0 : scale / divisor)),
      );
    },
  };
}

/** One of the parts of a tensor of all experts, by `joined` of a layout. */
interface ExpertPart {
  /** [rows, columns] */
  readonly shape: readonly [number, number];
  /** Parts of the tensor. */
  readonly parts: number;
  /** Which of them it is. */
  readonly place: number;
  /** Parts whose rows take turns. */
  readonly woven: number;
}

/** Rows of one part, out of those of its group. @param length bytes of a row */
function ownRows(group: Uint8Array, length: number, { place, woven, shape: [rows] }: ExpertPart): Uint8Array {
  const own = new Uint8Array(rows * length);
  for (let row = 0; row < rows; row += 1) {
    const from = (row * woven + (place % woven)) * length;
    own.set(group.subarray(from, from + length), row * length);
  }
  return own;
}

/**
 * A layer of one expert in the checkpoints of gpt-oss: as in `mxfp4Linear`, with all experts in one tensor, whose rows are not
 * turned.
 *
 * @param tensor its name, without "_blocks" and "_scales": [parts / woven, woven · rows, columns / 32, 16] and the same without 16
 */
export function mxfp4Expert(checkpoint: Checkpoint, tensor: string, part: ExpertPart): QuantisedLinear {
  const [blocks, scales] = [`${tensor}_blocks`, `${tensor}_scales`];
  const { shape, parts, place, woven } = part;
  const [rows, columns] = shape;
  const sides = [parts / woven, woven * rows, columns / mxfp4Block];
  requireShape(checkpoint, blocks, [...sides, mxfp4Block / 2]);
  requireShape(checkpoint, scales, sides);
  const read = async (name: string, length: number): Promise<Uint8Array> => {
    const size = woven * rows * length;
    return ownRows(await readBytes(checkpoint, name, Math.floor(place / woven) * size, size), length, part);
  };
  return {
    shape,
    tensors: [blocks, scales],
    async values() {
      const exponents = await read(scales, columns / mxfp4Block);
      if (exponents.includes(brokenExponent)) {
        const all = await readBytes(checkpoint, scales);
        checkpoint.noteNonfinite(scales, all.indexOf(brokenExponent), NaN);
      }
      return mxfp4Values(await read(blocks, columns / 2), exponents);
    },
  };
}
