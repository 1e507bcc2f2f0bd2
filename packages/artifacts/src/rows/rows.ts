import {
  BadDataError,
  InternalError,
  type ArtifactStream,
  type Batch,
  type ColumnType,
  type ColumnValues,
  type Field,
} from "@mbs/contracts";
import { formatMetadata, parseMetadata, type ArtifactMetadata } from "../kinds/metadata.ts";
import { artifactKinds, requireKind, type ArtifactKind } from "../kinds/schemas.ts";

/** Most bytes that the values of one batch may hold; a longer matrix is cut into panels. */
export const batchLimit = 3.5 * 1024 * 1024;

/**
 * Small rows share a batch up to this size or count. The rule looks at the rows alone, never at the clock, so that the
 * same work gives the same file.
 */
const groupBytes = 256 * 1024;
const groupRows = 64;

interface RowValues {
  utf8: string;
  int32: number;
  int64: number;
  float64: number;
  "list<int32>": Int32Array;
  "list<float32>": Float32Array;
  binary: Uint8Array;
}

type FieldOf<K extends ArtifactKind> = (typeof artifactKinds)[K]["fields"][number];

/** One row of a kind, by column name. */
export type Row<K extends ArtifactKind> = { readonly [F in FieldOf<K> as F["name"]]: RowValues[F["type"]] };

/** Records in, either way. */
export type Items<T> = AsyncIterable<T> | Iterable<T>;

type AnyRow = Readonly<Record<string, RowValues[ColumnType]>>;

function sizeOf(value: RowValues[ColumnType] | undefined): number {
  if (value === undefined) throw new InternalError("a row without all of its columns");
  if (typeof value === "number") return 8;
  return typeof value === "string" ? 4 + 3 * value.length : 4 + value.byteLength;
}

function column(type: ColumnType, values: readonly unknown[]): ColumnValues[ColumnType] {
  switch (type) {
    case "int32":
      return Int32Array.from(values as number[]);
    case "int64":
    case "float64":
      return Float64Array.from(values as number[]);
    default:
      return values as ColumnValues["utf8" | "list<int32>" | "list<float32>" | "binary"];
  }
}

function toBatch(fields: readonly Field[], rows: readonly AnyRow[]): Batch {
  const columns = Object.fromEntries(
    fields.map(({ name, type }) => [
      name,
      column(
        type,
        rows.map((row) => row[name]),
      ),
    ]),
  );
  return { rows: rows.length, columns };
}

async function* groupInBatches(fields: readonly Field[], rows: Items<AnyRow>): AsyncGenerator<Batch> {
  let group: AnyRow[] = [];
  let bytes = 0;
  for await (const row of rows) {
    const size = fields.reduce((sum, { name }) => sum + sizeOf(row[name]), 0);
    if (size > batchLimit + groupBytes)
      throw new InternalError(`one row of ${size} bytes is over the limit of a batch`, { size });
    if (group.length > 0 && bytes + size > groupBytes) {
      yield toBatch(fields, group);
      group = [];
      bytes = 0;
    }
    group.push(row);
    bytes += size;
    if (group.length >= groupRows || bytes >= groupBytes) {
      yield toBatch(fields, group);
      group = [];
      bytes = 0;
    }
  }
  if (group.length > 0) yield toBatch(fields, group);
}

/** Rows → an artifact stream: small rows share a batch, a row of 256 KiB or more has its own. */
export function encodeRows<K extends ArtifactKind>(kind: K, metadata: ArtifactMetadata[K], rows: Items<Row<K>>): ArtifactStream {
  const { version, fields } = artifactKinds[kind];
  return {
    schema: { kind, version, fields, metadata: formatMetadata(kind, metadata) },
    batches: groupInBatches(fields, rows as Items<AnyRow>),
  };
}

async function* rowsOf<K extends ArtifactKind>(kind: K, stream: ArtifactStream): AsyncGenerator<Row<K>> {
  const { fields } = artifactKinds[kind];
  for await (const { rows, columns } of stream.batches) {
    for (const { name } of fields) {
      if (columns[name]?.length !== rows)
        throw new BadDataError(`${kind}: column ${name} does not have ${rows} rows`, { kind, column: name });
    }
    for (let row = 0; row < rows; row++) {
      yield Object.fromEntries(fields.map(({ name }) => [name, columns[name]?.[row]])) as Row<K>;
    }
  }
}

/**
 * The rows of an artifact. Kind, version, columns and metadata are checked at once, before the first row is asked for.
 *
 * @throws {BadDataError} on another kind, other columns or malformed metadata
 * @throws {FailedPreconditionError} on an unknown version
 */
export function readRows<K extends ArtifactKind>(kind: K, stream: ArtifactStream): AsyncIterable<Row<K>> {
  requireKind(stream, [kind]);
  parseMetadata(kind, stream.schema);
  return rowsOf(kind, stream);
}

/** Rows of an artifact, taken one by one with a look at the next. */
export interface RowCursor<K extends ArtifactKind> {
  /** The next row without taking it; undefined at the end. */
  peek(): Promise<Row<K> | undefined>;
  take(): Promise<Row<K> | undefined>;
  /** Tells the source that no more is read. */
  close(): Promise<void>;
}

function openRows<K extends ArtifactKind>(kind: K, stream: ArtifactStream): RowCursor<K> {
  const iterator = readRows(kind, stream)[Symbol.asyncIterator]();
  let waiting: Row<K> | undefined;
  const peek = async () => (waiting ??= ((await iterator.next()) as IteratorResult<Row<K>, undefined>).value);
  return {
    peek,
    async take() {
      const row = await peek();
      waiting = undefined;
      return row;
    },
    async close() {
      await iterator.return?.();
    },
  };
}

/**
 * Reads records one after the other from the rows of an artifact. The artifact is checked at once, before the first
 * record is asked for.
 *
 * @param read takes the rows of one record; called while there are rows
 */
export function readRecords<K extends ArtifactKind, T>(
  kind: K,
  stream: ArtifactStream,
  read: (rows: RowCursor<K>, metadata: ArtifactMetadata[K]) => Promise<T>,
): AsyncIterable<T> {
  const rows = openRows(kind, stream);
  const metadata = parseMetadata(kind, stream.schema);
  return (async function* () {
    try {
      while (await rows.peek()) yield await read(rows, metadata);
    } finally {
      await rows.close();
    }
  })();
}
