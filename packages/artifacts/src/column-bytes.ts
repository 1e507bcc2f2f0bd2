import { InternalError, type Batch, type ColumnType, type Field } from "@mbs/contracts";

/** The bytes of a column, as they are stored and hashed: little-endian, values of one type one after the other. */
export interface ColumnBytes {
  /** Elements of each row, for types whose rows differ in length. */
  readonly lengths?: Int32Array;
  /** The values, to be joined. */
  readonly parts: readonly Uint8Array[];
}

const bytesOf = (values: ArrayBufferView): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

function wholeNumbers(name: string, values: Float64Array): Uint8Array {
  return bytesOf(
    BigInt64Array.from(values, (value) => {
      if (!Number.isSafeInteger(value))
        throw new InternalError(`column ${name}: ${value} is no int64 below 2^53`, { column: name });
      return BigInt(value);
    }),
  );
}

const expected: Readonly<Record<ColumnType, (values: unknown) => boolean>> = {
  utf8: (values) => Array.isArray(values) && values.every((value) => typeof value === "string"),
  int32: (values) => values instanceof Int32Array,
  int64: (values) => values instanceof Float64Array,
  float64: (values) => values instanceof Float64Array,
  "list<int32>": (values) => Array.isArray(values) && values.every((value) => value instanceof Int32Array),
  "list<float32>": (values) => Array.isArray(values) && values.every((value) => value instanceof Float32Array),
  binary: (values) => Array.isArray(values) && values.every((value) => value instanceof Uint8Array),
};

/**
 * The bytes of one column of a batch; views where nothing has to be converted.
 *
 * @throws {InternalError} where the column is missing, of another length or type than its field
 */
export function columnBytes({ name, type }: Field, batch: Batch): ColumnBytes {
  const values = batch.columns[name];
  if (values === undefined || values.length !== batch.rows || !expected[type](values)) {
    throw new InternalError(`column ${name} of the batch is not ${type} with ${batch.rows} rows`, { column: name });
  }
  if (type === "int64") return { parts: [wholeNumbers(name, values as Float64Array)] };
  if (ArrayBuffer.isView(values)) return { parts: [bytesOf(values)] };
  const parts = (values as readonly (string | ArrayBufferView)[]).map((value) =>
    typeof value === "string" ? Buffer.from(value, "utf8") : bytesOf(value),
  );
  const size = type.startsWith("list") ? 4 : 1;
  return { lengths: Int32Array.from(parts, (part) => part.byteLength / size), parts };
}

/** The bytes of a column without rows. */
export const emptyColumn = (type: ColumnType): ColumnBytes =>
  type === "int32" || type === "int64" || type === "float64" ? { parts: [] } : { lengths: new Int32Array(0), parts: [] };
