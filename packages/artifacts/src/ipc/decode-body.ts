import { at, BadDataError, type Batch, type ColumnType, type ColumnValues, type Field } from "@mbs/contracts";
import type { ColumnBytes } from "../column-bytes.ts";
import type { BatchHeader } from "./decode-message.ts";

/** A batch that was read, and the bytes of its columns for the content address. */
export interface DecodedBatch {
  readonly batch: Batch;
  readonly bytes: readonly ColumnBytes[];
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Rows of a column, with all that has to be checked on the way. Errors are short: the caller says where. */
class BodyReader {
  readonly #header: BatchHeader;
  readonly #body: Uint8Array;
  #node = 0;
  #buffer = 0;

  constructor(header: BatchHeader, body: Uint8Array) {
    this.#header = header;
    this.#body = body;
  }

  /** Length of the next node. */
  node(): number {
    const length = this.#header.nodes[this.#node++];
    if (length === undefined) throw new BadDataError("a column without a node");
    return length;
  }

  skipValidity(): void {
    this.#buffer++;
  }

  /** The next buffer, `length` bytes of it, which must lie inside the body at a multiple of 8. */
  bytes(length: number): Uint8Array {
    const region = this.#header.buffers[this.#buffer++];
    if (region === undefined) throw new BadDataError("a column without its buffers");
    const inside = region.offset % 8 === 0 && region.offset + region.length <= this.#body.length;
    if (!inside || !(length >= 0 && length <= region.length)) {
      throw new BadDataError(`a buffer of ${region.length} bytes at ${region.offset} does not hold its ${length} bytes`);
    }
    return this.#body.subarray(region.offset, region.offset + length);
  }

  /** Starts of the rows among the items, rows + 1 of them. */
  offsets(rows: number): Int32Array {
    // Arrow allows no offsets at all where there are no rows.
    if (rows === 0) {
      this.#buffer++;
      return new Int32Array(1);
    }
    const offsets = int32(this.bytes((rows + 1) * 4));
    let before = 0;
    for (let row = 0; row <= rows; row++) {
      const offset = offsets[row];
      if (offset === undefined || offset < before) {
        throw new BadDataError(row === 0 ? "offsets begin below 0" : `offsets fall at row ${row - 1}`);
      }
      before = offset;
    }
    return offsets;
  }
}

const int32 = (bytes: Uint8Array): Int32Array => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const float32 = (bytes: Uint8Array): Float32Array => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const float64 = (bytes: Uint8Array): Float64Array => new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);

function wholeNumbers(bytes: Uint8Array): Float64Array {
  const values = new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
  return Float64Array.from(values, (value) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new BadDataError(`int64 value ${value} is beyond 2^53`);
    return number;
  });
}

interface DecodedColumn {
  readonly values: ColumnValues[ColumnType];
  readonly bytes: ColumnBytes;
}

function fixedColumn(type: "int32" | "int64" | "float64", rows: number, reader: BodyReader): DecodedColumn {
  reader.skipValidity();
  const bytes = reader.bytes(rows * (type === "int32" ? 4 : 8));
  const values = type === "int32" ? int32(bytes) : type === "int64" ? wholeNumbers(bytes) : float64(bytes);
  return { values, bytes: { parts: [bytes] } };
}

function text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new BadDataError("text that is not UTF-8", {}, { cause });
  }
}

function variableColumn(
  type: Exclude<ColumnType, "int32" | "int64" | "float64">,
  rows: number,
  reader: BodyReader,
): DecodedColumn {
  reader.skipValidity();
  const offsets = reader.offsets(rows);
  const isList = type === "list<int32>" || type === "list<float32>";
  const size = isList ? 4 : 1;
  const [first, last] = [at(offsets, 0), at(offsets, rows)];
  if (isList) {
    if (reader.node() < last) throw new BadDataError(`a list of ${last} items that are not there`);
    reader.skipValidity();
  }
  const items = reader.bytes(last * size);
  const view: (bytes: Uint8Array) => unknown = {
    utf8: text,
    binary: (bytes: Uint8Array) => bytes,
    "list<int32>": int32,
    "list<float32>": float32,
  }[type];
  const values: unknown[] = [];
  const lengths = new Int32Array(rows);
  let start = first;
  for (let row = 0; row < rows; row++) {
    const end = at(offsets, row + 1);
    values.push(view(items.subarray(start * size, end * size)));
    lengths[row] = end - start;
    start = end;
  }
  return { values: values as unknown as ColumnValues[typeof type], bytes: { lengths, parts: [items.subarray(first * size)] } };
}

/**
 * The columns of a batch as views of its body; only texts and int64 are copied. The body begins at a multiple of 8.
 *
 * @param offset of the message, for errors
 * @throws {BadDataError} where the body is not what the header states
 */
export function decodeBody(header: BatchHeader, body: Uint8Array, fields: readonly Field[], offset: number): DecodedBatch {
  const reader = new BodyReader(header, body);
  const { rows } = header;
  const columns = fields.map(({ name, type }) => {
    try {
      if (!(rows >= 0) || reader.node() !== rows) throw new BadDataError(`not ${rows} rows`);
      const column =
        type === "int32" || type === "int64" || type === "float64"
          ? fixedColumn(type, rows, reader)
          : variableColumn(type, rows, reader);
      return { name, ...column };
    } catch (cause) {
      if (!(cause instanceof BadDataError)) throw cause;
      throw new BadDataError(`Arrow batch at byte ${offset}, column ${name}: ${cause.message}; write the artifact again`, {
        offset,
        column: name,
      });
    }
  });
  const values = Object.fromEntries(columns.map(({ name, values: rowValues }) => [name, rowValues]));
  return { batch: { rows, columns: values }, bytes: columns.map(({ bytes }) => bytes) };
}
