import {
  BadDataError,
  InternalError,
  type ArtifactStream,
  type Batch,
  type ColumnType,
  type ColumnValues,
  type Field,
} from "@mbs/contracts";
import { requireKind } from "../kinds/kind.ts";
import { formatMetadata, parseMetadata, type ArtifactMetadata } from "../kinds/metadata.ts";
import { artifactKinds, type ArtifactKind } from "../kinds/schemas.ts";

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
