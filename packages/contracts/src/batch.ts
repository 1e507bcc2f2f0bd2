/**
 * The type of a column. `int64` holds integers up to 2^53 - 1 and is a Float64Array here, Int64 in Arrow.
 * Lists and binary values are one typed array a row.
 */
export type ColumnType = "utf8" | "int32" | "int64" | "float64" | "list<int32>" | "list<float32>" | "binary";

/** The JavaScript value of a column, one entry a row. */
export interface ColumnValues {
  utf8: readonly string[];
  int32: Int32Array;
  int64: Float64Array;
  float64: Float64Array;
  "list<int32>": readonly Int32Array[];
  "list<float32>": readonly Float32Array[];
  binary: readonly Uint8Array[];
}

export interface Field {
  readonly name: string;
  readonly type: ColumnType;
}

/**
 * What an artifact holds. `kind` and `version` name one of the kinds in docs/artifacts.md; `metadata` is part of the
 * content address and therefore holds nothing that differs between two runs of the same work (no dates, no paths).
 */
export interface Schema {
  readonly kind: string;
  readonly version: number;
  readonly fields: readonly Field[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Rows of an artifact, column by column. No value is ever null. */
export interface Batch {
  readonly rows: number;
  readonly columns: Readonly<Record<string, ColumnValues[ColumnType]>>;
}

/** An artifact as a stream: read once, in order. */
export interface ArtifactStream {
  readonly schema: Schema;
  /** Its content address, where that is known before it is read: a store checks it at the end of the batches. */
  readonly address?: string;
  readonly batches: AsyncIterable<Batch>;
}
