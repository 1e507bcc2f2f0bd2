import { BadDataError } from "@mbs/contracts";
import { roundTo } from "@mbs/numbers";
import type { WeightDtype } from "@mbs/numbers";
import type { Checkpoint } from "./checkpoint.ts";
import type { PackedScheme } from "./compressed-tensors-config.ts";

/** A linear layer that is stored packed. */
export interface QuantisedLinear {
  /** [rows, columns] */
  readonly shape: readonly [number, number];
  /** The tensors that it is made of. */
  readonly tensors: readonly string[];
  /** Its values in float32, not yet rounded to the model's dtype: (code - zero) · scale, [rows, columns]. */
  read(): Promise<Float32Array>;
}

/** What a packed layer is unpacked to. */
interface Grid {
  readonly rows: number;
  readonly columns: number;
  /** Code of a weight. */
  readonly code: (row: number, column: number) => number;
  readonly groupOf: (column: number) => number;
  readonly zero: (row: number, group: number) => number;
  readonly scale: (row: number, group: number) => number;
}

const { fround } = Math;

function valuesOf({ rows, columns, code, groupOf, zero, scale }: Grid): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const group = groupOf(column);
      values[row * columns + column] = fround(fround(code(row, column) - zero(row, group)) * scale(row, group));
    }
  }
  return values;
}

/** Reads number `index` of those packed without gaps, `bits` each, in the words first, first + step, … */
function unpack(words: Int32Array, first: number, step: number, index: number, bits: number): number {
  const bit = index * bits;
  const place = first + (bit >> 5) * step;
  const shift = bit & 31;
  const low = (words[place] ?? 0) >>> shift;
  const high = shift + bits > 32 ? (words[place + step] ?? 0) << (32 - shift) : 0;
  return (low | high) & (2 ** bits - 1);
}

async function readWords(checkpoint: Checkpoint, name: string): Promise<Int32Array> {
  const { storedDtype } = checkpoint.info(name);
  if (storedDtype !== "I32")
    throw new BadDataError(`tensor ${name} is ${storedDtype}, not I32; is it packed by another program?`, { tensor: name });
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

/** Bits of a number, from how many words hold `length` of them. */
function bitsFor(words: number, length: number, name: string): number {
  const bits = Math.floor((words * 32) / length);
  if (bits >= 2 && bits <= 8 && Math.ceil((length * bits) / 32) === words) return bits;
  throw new BadDataError(
    `tensor ${name}: ${length} numbers in ${words} words of 32 bits are packed in no known way; take the dense model`,
    { tensor: name },
  );
}

/**
 * A layer of a GPTQ checkpoint.
 *
 * @param module its name, without ".qweight"
 * @param zeroOffset what is to be added to stored zeros: 1 in version 1, 0 in version 2
 * @param dtype of the model: programs round the scales to it when they load them
 */
export function gptqLinear(checkpoint: Checkpoint, module: string, zeroOffset: number, dtype: WeightDtype): QuantisedLinear {
  const [qweight, qzeros, scales, gIdx] = ["qweight", "qzeros", "scales", "g_idx"].map((part) => `${module}.${part}`) as [
    string,
    string,
    string,
    string,
  ];
  const [packedColumns = 0, rows = 0] = checkpoint.info(qweight).shape;
  const columns = checkpoint.info(gIdx).shape[0] ?? 0;
  const groups = checkpoint.info(scales).shape[0] ?? 0;
  const bits = bitsFor(packedColumns, columns, qweight);
  requireShape(checkpoint, scales, [groups, rows]);
  requireShape(checkpoint, qzeros, [groups, Math.ceil((rows * bits) / 32)]);
  const zeroWords = Math.ceil((rows * bits) / 32);
  return {
    shape: [rows, columns],
    tensors: [qweight, qzeros, scales, gIdx],
    async read() {
      const codes = await readWords(checkpoint, qweight);
      const zeros = await readWords(checkpoint, qzeros);
      const groupOf = await readWords(checkpoint, gIdx);
      const scale = roundTo(dtype, await checkpoint.readF32(scales));
      if (groupOf.some((group) => group < 0 || group >= groups))
        throw new BadDataError(`tensor ${gIdx} names a group that ${scales} does not have; download the model again`, {
          tensor: gIdx,
        });
      return valuesOf({
        rows,
        columns,
        code: (row, column) => unpack(codes, row, rows, column, bits),
        groupOf: (column) => groupOf[column] ?? 0,
        zero: (row, group) => unpack(zeros, group * zeroWords, 1, row, bits) + zeroOffset,
        scale: (row, group) => scale[group * rows + row] ?? 0,
      });
    },
  };
}

/**
 * The scheme that the tensors of a layer are of. Schemes are told apart by what they make of a layer's shape, so that names,
 * which programs change, do not count.
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
 * A layer of a compressed-tensors checkpoint in the format pack-quantized. Codes and zeros are stored from 0 up.
 *
 * @param module its name, without ".weight_packed"
 * @param schemes of all config groups
 */
export async function packedLinear(
  checkpoint: Checkpoint,
  module: string,
  schemes: readonly PackedScheme[],
): Promise<QuantisedLinear> {
  const [packed, scales, zeroPoint, shapeName] = ["packed", "scale", "zero_point", "shape"].map(
    (part) => `${module}.weight_${part}`,
  ) as [string, string, string, string];
  const shape = new BigInt64Array((await checkpoint.readRaw(shapeName)).buffer as ArrayBuffer);
  const [rows, columns] = [Number(shape[0]), Number(shape[1])];
  const words = checkpoint.info(packed).shape[1] ?? 0;
  const groups = checkpoint.info(scales).shape[1] ?? 0;
  const symmetric = !checkpoint.has(zeroPoint);
  const { bits } = schemeOf(schemes, { columns, words, groups, symmetric }, packed);
  requireShape(checkpoint, packed, [rows, words]);
  requireShape(checkpoint, scales, [rows, groups]);
  if (!symmetric) requireShape(checkpoint, zeroPoint, [Math.ceil((rows * bits) / 32), groups]);
  const groupSize = columns / groups;
  if (!Number.isInteger(groupSize))
    throw new BadDataError(`tensor ${scales}: ${columns} columns are no ${groups} equal groups; download the model again`, {
      tensor: scales,
    });
  return {
    shape: [rows, columns],
    tensors: [packed, scales, shapeName, ...(symmetric ? [] : [zeroPoint])],
    async read() {
      const codes = await readWords(checkpoint, packed);
      const zeros = symmetric ? undefined : await readWords(checkpoint, zeroPoint);
      const scale = await checkpoint.readF32(scales);
      return valuesOf({
        rows,
        columns,
        code: (row, column) => unpack(codes, row * words, 1, column, bits),
        groupOf: (column) => Math.floor(column / groupSize),
        zero: (row, group) => (zeros === undefined ? 2 ** (bits - 1) : unpack(zeros, group, groups, row, bits)),
        scale: (row, group) => scale[row * groups + group] ?? 0,
      });
    },
  };
}
