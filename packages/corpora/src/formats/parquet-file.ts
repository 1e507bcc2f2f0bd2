import { createReadStream, statSync } from "node:fs";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { BadDataError, MbsError, isObject } from "@mbs/contracts";
import { decompress as unpackZstd } from "fzstd";
import { flatten, parquetMetadataAsync, parquetSchema } from "hyparquet";
import type { Compressors, FileMetaData, ParquetParsers, SchemaTree } from "hyparquet";
import { parquetReadAsync } from "hyparquet/src/read.js";
import { assembleAsync } from "hyparquet/src/rowgroup.js";
import { getTreePath } from "hyparquet/src/schema.js";
import { longestDocument } from "../files/document-limits.ts";

/** Bytes of a file, which may be far away. */
export interface ByteRange {
  /** For messages. */
  readonly name: string;
  readonly size: number;
  /** Bytes from `start` to before `end`, as they come. */
  bytes(start: number, end: number): AsyncIterable<Uint8Array>;
}

/** The bytes of a file on this machine. */
export const localBytes = (path: string): ByteRange => ({
  name: path,
  size: statSync(path).size,
  bytes: (start, end) => createReadStream(path, { start, end: end - 1, highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>,
});

/** Enough for the footers of most files. */
const firstRead = 256 << 10;

/** A row group is read as a whole: one with more bytes, unpacked, is refused. */
const largestRowGroup = 1 << 30;

/** Rows of one group: more are refused, since a few bytes can stand for any number of empty values. */
const mostRows = 1 << 24;

/** Stands for a text that is longer than a document may be. */
export const tooLong = Symbol("too long");

const compressors: Compressors = {
  GZIP: (input) => gunzipSync(input),
  BROTLI: (input) => brotliDecompressSync(input),
  ZSTD: (input) => unpackZstd(input),
};

/** Snappy is the library's own. */
const isUnpacked = (codec: string): boolean => codec in compressors || codec === "SNAPPY" || codec === "UNCOMPRESSED";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of a time in milliseconds since 1970, in UTC. */
const timeText = (milliseconds: number): string =>
  new Date(milliseconds)
    .toISOString()
    .replace("T", " ")
    .replace(/(\.000)?Z$/, "");

/** How values come out: texts as texts, times as texts in UTC. */
const parsers: Partial<ParquetParsers> = {
  stringFromBytes: (bytes) => (bytes.length > longestDocument ? tooLong : decoder.decode(bytes)),
  dateFromDays: (days) => timeText(days * 86_400_000).slice(0, 10),
  timestampFromMilliseconds: (time) => timeText(Number(time)),
  timestampFromMicroseconds: (time) => timeText(Number(time / 1000n)),
  timestampFromNanoseconds: (time) => timeText(Number(time / 1_000_000n)),
};

/** Texts whatever their length. */
const wholeTexts: Partial<ParquetParsers> = { ...parsers, stringFromBytes: (bytes) => decoder.decode(bytes) };

/** What a column holds: texts, conversations (a list of structures), or a type by its name. */
export type ColumnKind = "text" | "conversation" | { readonly type: string };

function kindOf({ element, children }: SchemaTree): ColumnKind {
  if (children.length === 0) {
    const isText = element.converted_type === "UTF8" || element.logical_type?.type === "STRING";
    return isText ? "text" : { type: element.converted_type ?? element.type ?? "nothing" };
  }
  const [item] = children[0]?.children ?? [];
  const isList = element.converted_type === "LIST" || element.logical_type?.type === "LIST";
  if (isList && item !== undefined && item.children.length > 0 && item.element.converted_type !== "LIST") return "conversation";
  return { type: isList ? "a list" : "a structure" };
}

/** A Parquet file: which columns it has, and rows of some of them, a row group at a time. */
export class ParquetFile {
  readonly columns: ReadonlyMap<string, ColumnKind>;
  /** Rows of each row group. */
  readonly rowGroups: readonly number[];
  readonly #source: ByteRange;
  readonly #metadata: FileMetaData;
  readonly #schema: SchemaTree;

  private constructor(source: ByteRange, metadata: FileMetaData) {
    this.#source = source;
    this.#metadata = metadata;
    this.#schema = parquetSchema(metadata);
    this.columns = new Map(this.#schema.children.map((child) => [child.element.name, kindOf(child)]));
    this.rowGroups = metadata.row_groups.map(({ num_rows: rows }) => Number(rows));
  }

  /** @throws {BadDataError} where the file's end says nothing that can be read */
  static async open(source: ByteRange): Promise<ParquetFile> {
    return refusing(source, async () => {
      if (source.size < 12) throw new RangeError(`it has ${source.size} bytes`);
      const metadata = await parquetMetadataAsync(buffered(source), { initialFetchSize: firstRead, geoparquet: false });
      return new ParquetFile(source, metadata);
    });
  }

  /**
   * Rows with the values of some columns, in their order, null where there is none.
   *
   * @param columns names of columns that the file has
   * @param groups numbers of row groups; without them all
   * @param whole texts come whatever their length; else one that is longer than a document may be is `tooLong`
   * @throws {BadDataError} where the file is broken, encrypted, or a row group is too large
   */
  async *rows(
    columns: readonly string[],
    { groups = [...this.rowGroups.keys()], whole = false }: { groups?: readonly number[]; whole?: boolean } = {},
  ): AsyncGenerator<readonly unknown[], void, undefined> {
    const starts = [0];
    for (const rows of this.rowGroups) starts.push((starts.at(-1) ?? 0) + rows);
    for (const group of groups) {
      const [rowStart = 0, rowEnd = 0] = [starts[group], starts[group + 1]];
      const found = await refusing(this.#source, async () => {
        this.#check(group, columns);
        return this.#columnsOf(columns, rowStart, rowEnd, whole ? wholeTexts : parsers);
      });
      for (let row = 0; row < rowEnd - rowStart; row++) yield found.map((values) => values[row] ?? null);
    }
  }

  /** The values of columns in one row group. */
  async #columnsOf(
    columns: readonly string[],
    rowStart: number,
    rowEnd: number,
    own: Partial<ParquetParsers>,
  ): Promise<readonly ArrayLike<unknown>[]> {
    const metadata = this.#metadata;
    const options = { columns: [...columns], rowStart, rowEnd, compressors, parsers: own, utf8: false };
    const groups = parquetReadAsync({ file: buffered(this.#source), metadata, ...options });
    // All have ended before anything is thrown: a failure that nobody waits for would end the program.
    await Promise.allSettled(groups.flatMap(({ asyncColumns }) => asyncColumns.map(({ data }) => data)));
    const assembled = groups.flatMap((read) => assembleAsync(read, this.#schema, own).asyncColumns);
    const found = await Promise.all(
      assembled.map(async ({ pathInSchema, data }) => [pathInSchema[0] ?? "", flatten((await data).data)] as const),
    );
    const byName = new Map(found);
    return columns.map((name) => {
      const values = byName.get(name);
      if (values?.length !== rowEnd - rowStart || values.includes(undefined)) {
        throw new RangeError("a column has fewer values than rows");
      }
      return values;
    });
  }

  /** What a file says of a row group before it is read. */
  #check(group: number, columns: readonly string[]): void {
    const { columns: chunks, num_rows: rows } = this.#metadata.row_groups[group] ?? { columns: [], num_rows: 0n };
    let bytes = 0;
    for (const { meta_data: chunk, file_path: other } of chunks) {
      if (chunk === undefined || other !== undefined) throw new RangeError("its columns are encrypted or in other files");
      if (!columns.includes(chunk.path_in_schema[0] ?? "")) continue;
      getTreePath(this.#schema, chunk.path_in_schema);
      if (!isUnpacked(chunk.codec)) {
        throw new BadDataError(
          `${this.#source.name} is compressed by ${chunk.codec}, which is not read; write it again, compressed by snappy or zstd`,
          { file: this.#source.name },
        );
      }
      const start = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset);
      const length = Number(chunk.total_compressed_size);
      if (length < 0 || start + length > this.#source.size) throw new RangeError("a column lies outside of it");
      bytes += Math.max(length, Number(chunk.total_uncompressed_size));
    }
    if (bytes > largestRowGroup || rows > mostRows) {
      throw new BadDataError(
        `${this.#source.name}: row group ${group + 1} has ${rows} rows of ${bytes} bytes, more than are read at once; write the file again with smaller row groups`,
        { file: this.#source.name },
      );
    }
  }
}

/** The bytes as the library reads them. */
function buffered(source: ByteRange): { byteLength: number; slice(start: number, end?: number): Promise<ArrayBuffer> } {
  return {
    byteLength: source.size,
    async slice(start, end = source.size) {
      const pieces: Uint8Array[] = [];
      if (end > start) for await (const piece of source.bytes(start, end)) pieces.push(piece);
      const bytes = new Uint8Array(Math.max(0, end - start));
      let position = 0;
      for (const piece of pieces) {
        bytes.set(piece, position);
        position += piece.length;
      }
      if (position < bytes.length) throw new RangeError("it ends early");
      return bytes.buffer;
    },
  };
}

/** Says of which file an error is that the library throws. */
async function refusing<Result>({ name }: ByteRange, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof MbsError) throw error;
    const [line = ""] = (error as Error).message.split("\n");
    const problem = line.slice(0, 300).replace(/[.;\s]+$/, "");
    throw new BadDataError(
      `cannot read ${name}: ${problem}; copy it again, or write it again from what it was made of`,
      { file: name },
      { cause: error },
    );
  }
}

/**
 * A value as JSON has it.
 *
 * @param where file, row and column, for messages
 * @throws {BadDataError} on a value that JSON has no form for, or that a number cannot hold
 */
export function jsonValue(value: unknown, where: () => string): unknown {
  const fail = (problem: string, remedy: string): never => {
    throw new BadDataError(`${where()}: ${problem}; ${remedy}`, { where: where() });
  };
  if (value === null || typeof value === "boolean" || typeof value === "number" || typeof value === "string") return value;
  if (value === undefined) return null;
  if (typeof value === "bigint") {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    return fail(`the number ${value} is too large to be held exactly`, "write the column as text");
  }
  if (value === tooLong) return fail(`more than ${longestDocument >> 20} Mi characters`, "write the file with shorter rows");
  if (Array.isArray(value)) return value.map((item) => jsonValue(item, where));
  if (value instanceof Uint8Array || !isObject(value)) {
    return fail("a value of bytes, which JSON does not have", "write the file without this column");
  }
  return Object.fromEntries(Object.entries(value).map(([key, own]) => [key, jsonValue(own, where)]));
}
