import { at, BadDataError, FailedPreconditionError, InternalError } from "@mbs/contracts";
import { isReadable, readableTypes } from "@mbs/gguf";
import { bytesOfDtype, columnsInOrder, decodeWeights, encodeWeights } from "@mbs/numbers";
import type { TensorFile } from "../checkpoint/checkpoint.ts";
import type { HeaderEntry } from "../checkpoint/safetensors-header.ts";
import { transpose } from "../checkpoint/weight-reader.ts";
import { dtypeOf, elements } from "./dense-tensor.ts";
import type { DenseTensor } from "./dense-tensor.ts";
import type { GgufFile } from "./gguf-file.ts";

/** Stored bytes that are in memory at a time. */
const pieceBytes = 4 * 1024 * 1024;

/** @throws {FailedPreconditionError} naming tensors whose type cannot be read */
function requireReadable(path: string, tensors: readonly DenseTensor[]): void {
  const wrong = tensors.filter(({ source }) => !isReadable(source.type));
  const [first] = wrong;
  if (first === undefined) return;
  const { name, type } = first.source;
  const more = wrong.length > 1 ? `, and ${wrong.length - 1} more tensors are of such types` : "";
  throw new FailedPreconditionError(
    `${path}: tensor ${name} is ${type.name}, which is not supported${more}; supported: ${readableTypes.join(", ")}`,
    { file: path, tensor: name, type: type.name },
  );
}

/** @throws {BadDataError} where rows that are reordered are parts of a block */
function requireWholeBlocks(path: string, tensors: readonly DenseTensor[]): void {
  const wrong = tensors.find(({ columns, source }) => columns % source.type.values !== 0);
  if (wrong === undefined) return;
  const { name, type, shape } = wrong.source;
  throw new BadDataError(
    `${path}: tensor ${name} [${shape.join(", ")}] of this architecture cannot be ${type.name}; convert the model again`,
    { file: path, tensor: name, type: type.name },
  );
}

/** Puts the columns of rows in another order. @param columnOf the column that each one becomes @param bytes of a value: 2 or 4 */
function orderColumns(rows: Uint8Array, columnOf: Int32Array, bytes: number): void {
  // a copy, since a value may begin anywhere in the rows' memory
  const { buffer } = rows.slice();
  const values = bytes === 4 ? new Uint32Array(buffer) : new Uint16Array(buffer);
  rows.set(new Uint8Array(columnsInOrder<Uint16Array | Uint32Array>(values, columnOf).buffer));
}

/** Reads rows of a tensor as a checkpoint has them. */
class RowReader {
  readonly #file: GgufFile;
  #scratch = new Uint8Array(0);

  constructor(file: GgufFile) {
    this.#file = file;
  }

  /** Stored bytes in memory that is used again. */
  #raw(tensor: DenseTensor, offset: number, length: number): Uint8Array {
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(length);
    const raw = this.#scratch.subarray(0, length);
    this.#file.readInto(tensor.source, offset, raw);
    return raw;
  }

  /** Values of whole rows that follow each other in the file, as the checkpoint stores them. */
  #rows(tensor: DenseTensor, row: number, target: Uint8Array): void {
    this.#values(tensor, row, target);
    if (tensor.columnOf !== undefined) orderColumns(target, tensor.columnOf, bytesOfDtype(dtypeOf(tensor)));
  }

  /** The same with columns in the order of the file. */
  #values(tensor: DenseTensor, row: number, target: Uint8Array): void {
    const { source, columns, values: form } = tensor;
    const { type } = source;
    const offset = (row * columns * type.bytes) / type.values;
    if (type.plain !== undefined && form === undefined) {
      this.#file.readInto(source, offset, target);
      return;
    }
    const count = target.length / 4;
    const raw = this.#raw(tensor, offset, (count / type.values) * type.bytes);
    // decoded in place where float32 may begin there
    const isAligned = target.byteOffset % 4 === 0;
    const values = isAligned ? new Float32Array(target.buffer, target.byteOffset, count) : new Float32Array(count);
    if (type.decode !== undefined) type.decode(raw, values);
    else values.set(decodeWeights(type.plain ?? "", raw, source.name));
    if (form !== undefined) for (const [index, value] of values.entries()) values[index] = form.read(value);
    if (!isAligned) target.set(new Uint8Array(values.buffer));
  }

  /** Rows from `row` on that follow each other in the file too, at most `most`. */
  #run({ rowOf }: DenseTensor, row: number, most: number): number {
    if (rowOf === undefined) return most;
    const first = rowOf(row);
    let count = 1;
    while (count < most && rowOf(row + count) === first + count) count += 1;
    return count;
  }

  /** Fills `target` from byte `offset` of the tensor. */
  read(tensor: DenseTensor, offset: number, target: Uint8Array): void {
    const { columns, firstRow, rowOf = (row) => row } = tensor;
    const width = columns * bytesOfDtype(dtypeOf(tensor));
    const most = Math.max(1, Math.floor(pieceBytes / width));
    for (let done = 0; done < target.length;) {
      const row = Math.floor((offset + done) / width);
      const skipped = (offset + done) % width;
      const left = target.length - done;
      const source = firstRow + rowOf(row);
      if (skipped === 0 && left >= width) {
        const rows = this.#run(tensor, row, Math.min(most, Math.floor(left / width)));
        this.#rows(tensor, source, target.subarray(done, done + rows * width));
        done += rows * width;
      } else {
        const whole = new Uint8Array(width);
        this.#rows(tensor, source, whole);
        const part = whole.subarray(skipped, Math.min(width, skipped + left));
        target.set(part, done);
        done += part.length;
      }
    }
  }
}

/** @returns the tensor's bytes with its rows as columns */
function transposedBytes(reader: RowReader, tensor: DenseTensor): Uint8Array {
  const dtype = dtypeOf(tensor);
  const bytes = new Uint8Array(elements(tensor.shape) * bytesOfDtype(dtype));
  reader.read(tensor, 0, bytes);
  const rows = at(tensor.source.shape, 0);
  return encodeWeights(dtype, transpose(decodeWeights(dtype, bytes, tensor.name), rows));
}

/**
 * The tensors of a checkpoint out of a GGUF file. Quantised ones are read as float32, in whole blocks, by row range.
 *
 * @param name that the file gets in a folder of safetensors
 * @throws {FailedPreconditionError} where a tensor is of a type that cannot be read
 */
export function denseFile(file: GgufFile, name: string, tensors: readonly DenseTensor[]): TensorFile {
  requireReadable(file.path, tensors);
  requireWholeBlocks(file.path, tensors);
  const reader = new RowReader(file);
  const views = new Map<string, DenseTensor>();
  let begin = 0;
  const entries = tensors.map((tensor): HeaderEntry => {
    const dtype = dtypeOf(tensor);
    const end = begin + elements(tensor.shape) * bytesOfDtype(dtype);
    const entry = { name: tensor.name, storedDtype: dtype.toUpperCase(), shape: tensor.shape, begin, end };
    views.set(tensor.name, tensor);
    begin = end;
    return entry;
  });
  /** The transposed tensor that was read last: it is read in pieces. */
  let turned: { readonly name: string; readonly bytes: Uint8Array } | undefined;
  return {
    path: file.path,
    name,
    metadata: {},
    tensors: entries,
    readInto(entry, offset, target) {
      const tensor = views.get(entry.name);
      if (tensor === undefined) throw new InternalError(`${file.path} has no view of ${entry.name}`, { tensor: entry.name });
      if (offset < 0 || offset + target.length > entry.end - entry.begin) {
        throw new RangeError(`${file.path}: ${entry.name} has no bytes ${offset} to ${offset + target.length}`);
      }
      if (tensor.listed !== undefined) {
        target.set(encodeWeights("f32", Float32Array.of(tensor.listed)).subarray(offset, offset + target.length));
        return;
      }
      if (tensor.transposed !== true) {
        reader.read(tensor, offset, target);
        return;
      }
      if (turned?.name !== entry.name) turned = { name: entry.name, bytes: transposedBytes(reader, tensor) };
      target.set(turned.bytes.subarray(offset, offset + target.length));
    },
    close: () => file.close(),
  };
}

/** The tensors of a GGUF file as it stores them. */
export const storedFile = (file: GgufFile, name: string): TensorFile => {
  const sources = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  return {
    path: file.path,
    name,
    metadata: {},
    tensors: file.tensors.map(({ name, type, shape, begin, end }) => ({ name, storedDtype: type.name, shape, begin, end })),
    readInto(entry, offset, target) {
      const source = sources.get(entry.name);
      if (source === undefined) throw new InternalError(`${file.path} has no tensor ${entry.name}`, { tensor: entry.name });
      file.readInto(source, offset, target);
    },
    close: () => file.close(),
  };
};
