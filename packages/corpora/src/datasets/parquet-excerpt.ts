import { open } from "node:fs/promises";
import { BadDataError } from "@mbs/contracts";
import { excerptFooter, readFooter } from "./parquet-footer.ts";
import type { ParquetFooter, RowGroup } from "./parquet-footer.ts";

/** A file that may be far away. */
export interface ByteRange {
  /** For messages. */
  readonly name: string;
  readonly size: number;
  /** Bytes from `start` to before `end`, as they come. */
  bytes(start: number, end: number): AsyncIterable<Uint8Array>;
}

const ends = "PAR1";
const magic = Buffer.from(ends);
/** Enough for the footers of most files. */
const firstRead = 256 << 10;
const largestFooter = 256 << 20;

async function read(source: ByteRange, start: number, end: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source.bytes(start, end)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function findFooter(source: ByteRange): Promise<ParquetFooter> {
  const { size, name } = source;
  const fail = (what: string): never => {
    throw new BadDataError(`${name} is no Parquet file that can be read in parts: ${what}; name another file with path=`, {
      file: name,
    });
  };
  if (size < 12) return fail(`it has ${size} bytes`);
  const from = Math.max(4, size - firstRead);
  let end = await read(source, from, size);
  if (!end.subarray(-4).equals(magic)) return fail("it does not end in PAR1");
  const length = end.readUInt32LE(end.length - 8);
  if (length > largestFooter || length > size - 12) return fail(`its footer of ${length} bytes is larger than it may be`);
  if (length > end.length - 8) end = await read(source, size - 8 - length, size);
  try {
    const footer = readFooter(end.subarray(end.length - 8 - length, end.length - 8));
    const limit = size - 8 - length;
    for (const { chunks } of footer.rowGroups) {
      for (const { start, length: bytes } of chunks) {
        if (start < 4 || bytes < 0 || start + bytes > limit) return fail("a column lies outside of it");
      }
    }
    return footer;
  } catch (error) {
    if (error instanceof RangeError) return fail(error.message);
    throw error;
  }
}

/**
 * As few row groups as have `wanted` rows, spread evenly over the file: neighbours are often of one source or one year.
 *
 * @returns all of them where they have no more rows
 */
export function chooseRowGroups(rowGroups: readonly RowGroup[], wanted: number): readonly RowGroup[] {
  const count = rowGroups.length;
  const most = rowGroups.reduce((largest, { rows }) => Math.max(largest, rows), 1);
  for (let chosen = Math.max(1, Math.ceil(wanted / most)); chosen < count; chosen++) {
    const numberOf = (index: number): number => Math.floor((index * chosen + Math.floor(count / 2)) / count);
    const groups = rowGroups.filter((_, index) => numberOf(index + 1) > numberOf(index));
    if (groups.reduce((sum, { rows }) => sum + rows, 0) >= wanted) return groups;
  }
  return rowGroups;
}

/**
 * Writes a Parquet file with some columns of enough row groups of another one, and reads no more of that than these and its end.
 *
 * @param needed columns of which the file must have one; the first that it has is written
 * @param beside columns that are written with it; those that the file does not have are left out
 * @param wanted rows; fewer are written where there are fewer
 * @throws {BadDataError} where the file is broken, encrypted or has none of the columns
 */
export async function writeParquetExcerpt(
  source: ByteRange,
  needed: readonly string[],
  beside: readonly string[],
  wanted: number,
  path: string,
): Promise<void> {
  const footer = await findFooter(source);
  const found = needed.find((name) => footer.columns.includes(name));
  if (found === undefined) {
    throw new BadDataError(
      `${source.name} has no column ${needed.map((name) => JSON.stringify(name)).join(" or ")}; it has: ${footer.columns.join(", ").slice(0, 200)}; name one with --field or field=`,
      { file: source.name, field: needed.join() },
    );
  }
  const columns = [found, ...beside];
  const groups = chooseRowGroups(footer.rowGroups, wanted).map((group) => ({
    ...group,
    chunks: group.chunks.filter(({ column }) => columns.includes(column)),
  }));
  const file = await open(path, "w");
  try {
    await file.appendFile(magic);
    const starts: number[] = [];
    let position = magic.length;
    for (const { start, length } of groups.flatMap(({ chunks }) => chunks)) {
      starts.push(position);
      for await (const piece of source.bytes(start, start + length)) await file.appendFile(piece);
      position += length;
    }
    const end = excerptFooter(footer, columns, groups, starts);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(end.length);
    await file.appendFile(Buffer.concat([end, size, magic]));
    await file.sync();
  } finally {
    await file.close();
  }
}
