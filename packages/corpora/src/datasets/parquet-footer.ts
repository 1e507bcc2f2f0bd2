import {
  integerValue,
  listValue,
  readInteger,
  readList,
  readStruct,
  readText,
  structBytes,
  textOf,
  thriftTypes as types,
} from "./compact-thrift.ts";
import type { ThriftStruct, ThriftValue } from "./compact-thrift.ts";

/*
 * What a Parquet file says of itself in its last bytes: FileMetaData of
 * https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift, whose field numbers are used here.
 */

/** The values of one column in one row group, one stretch of bytes. */
export interface ColumnChunk {
  /** Name of the column, or of the outermost one around it. */
  readonly column: string;
  readonly start: number;
  readonly length: number;
  readonly fields: ThriftStruct;
  readonly metadata: ThriftStruct;
}

export interface RowGroup {
  readonly rows: number;
  readonly chunks: readonly ColumnChunk[];
  readonly fields: ThriftStruct;
}

export interface ParquetFooter {
  /** Names of the outermost columns. */
  readonly columns: readonly string[];
  readonly rowGroups: readonly RowGroup[];
  readonly fields: ThriftStruct;
}

/** The elements of the schema below its root, one list for each outermost column. */
function outermost(schema: readonly Buffer[]): Map<string, Buffer[]> {
  const columns = new Map<string, Buffer[]>();
  let position = 1;
  const take = (into: Buffer[]): void => {
    const element = schema[position++];
    if (element === undefined) throw new RangeError("its schema ends early");
    into.push(element);
    const fields = readStruct(element);
    const children = fields.has(5) ? readInteger(fields, 5, types.i32) : 0;
    for (let child = 0; child < children; child++) take(into);
  };
  while (position < schema.length) {
    const name = readText(readStruct(schema[position] ?? Buffer.of(0)), 4);
    const elements: Buffer[] = [];
    take(elements);
    columns.set(name, elements);
  }
  return columns;
}

function readChunk(bytes: Buffer): ColumnChunk {
  const fields = readStruct(bytes);
  const metadataValue = fields.get(3);
  if (fields.has(1) || fields.has(8) || fields.has(9) || metadataValue === undefined) {
    throw new RangeError("its columns are encrypted or in other files");
  }
  const metadata = readStruct(metadataValue.bytes);
  const [name] = readList(metadata, 3, types.binary);
  if (name === undefined) throw new RangeError("a column has no name");
  const data = readInteger(metadata, 9);
  // some writers say 0 where there is no dictionary
  const dictionary = metadata.has(11) ? readInteger(metadata, 11) : 0;
  return {
    column: textOf(name),
    start: dictionary > 0 && dictionary < data ? dictionary : data,
    length: readInteger(metadata, 7),
    fields,
    metadata,
  };
}

/**
 * Reads a footer.
 *
 * @param bytes FileMetaData, without its length and "PAR1"
 * @throws {RangeError} where it is broken
 */
export function readFooter(bytes: Buffer): ParquetFooter {
  const fields = readStruct(bytes);
  const rowGroups = readList(fields, 4, types.struct).map((group): RowGroup => {
    const own = readStruct(group);
    return { rows: readInteger(own, 3), chunks: readList(own, 1, types.struct).map(readChunk), fields: own };
  });
  return { columns: [...outermost(readList(fields, 2, types.struct)).keys()], rowGroups, fields };
}

/** Fields that stay true when chunks move, with others in the place of those that do not. */
const changed = (fields: ThriftStruct, kept: readonly number[], others: readonly (readonly [number, ThriftValue])[]) =>
  structBytes(new Map([...[...fields].filter(([id]) => kept.includes(id)), ...others]));

function movedChunk({ start, fields, metadata }: ColumnChunk, newStart: number): Buffer {
  // offsets of data, index and dictionary pages; bloom filters and page indexes stay behind
  const offsets = [9, 10, 11]
    .filter((id) => metadata.has(id) && readInteger(metadata, id) > 0)
    .map((id): [number, ThriftValue] => [id, integerValue(readInteger(metadata, id) - start + newStart)]);
  const moved = changed(metadata, [1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 16, 17], offsets);
  return changed(
    fields,
    [],
    [
      [2, integerValue(newStart)],
      [3, { type: types.struct, bytes: moved }],
    ],
  );
}

/**
 * The footer of a file with some row groups and columns of another.
 *
 * @param rowGroups chosen ones, with the chosen chunks alone
 * @param starts where each of their chunks begins in the new file, in order
 */
export function excerptFooter(
  { fields }: ParquetFooter,
  columns: readonly string[],
  rowGroups: readonly RowGroup[],
  starts: readonly number[],
): Buffer {
  const schema = readList(fields, 2, types.struct);
  const kept = [...outermost(schema)].filter(([name]) => columns.includes(name));
  const root = changed(readStruct(schema[0] ?? Buffer.of(0)), [1, 2, 3, 4], [[5, integerValue(kept.length, types.i32)]]);
  const left = [...starts];
  const groups = rowGroups.map(({ chunks, fields: own }) => {
    const moved = chunks.map((chunk) => movedChunk(chunk, left.shift() ?? 0));
    return changed(own, [2, 3], [[1, listValue(types.struct, moved)]]);
  });
  return changed(
    fields,
    [1, 6],
    [
      [2, listValue(types.struct, [root, ...kept.flatMap(([, elements]) => elements)])],
      [3, integerValue(rowGroups.reduce((sum, { rows }) => sum + rows, 0))],
      [4, listValue(types.struct, groups)],
    ],
  );
}
