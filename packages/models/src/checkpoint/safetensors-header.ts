import { BadDataError, isCount } from "@mbs/contracts";
import { parseJsonObject } from "../folder/json-file.ts";
import type { JsonObject } from "../folder/json-file.ts";

/** Longest header that the reference implementation accepts. */
export const headerLimit = 100_000_000;

const bytesOf: ReadonlyMap<string, number> = new Map([
  ...["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"].map((name) => [name, 1] as const),
  ...["I16", "U16", "F16", "BF16"].map((name) => [name, 2] as const),
  ...["I32", "U32", "F32"].map((name) => [name, 4] as const),
  ...["I64", "U64", "F64"].map((name) => [name, 8] as const),
]);

/** A tensor and where its bytes are. Offsets count from the start of the data, after the header. */
export interface HeaderEntry {
  readonly name: string;
  readonly storedDtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their offsets. */
  readonly tensors: readonly HeaderEntry[];
}

/**
 * Reads the length of the header from the first 8 bytes, before anything of that length is allocated.
 *
 * @param size of the whole file
 * @throws {BadDataError} when the file cannot hold such a header
 */
export function headerLength(prefix: Uint8Array, size: number, file: string): number {
  if (size < 8 || prefix.length < 8) {
    throw new BadDataError(`${file} is cut short: ${size} bytes where a safetensors file has at least 8; copy it again`, {
      file,
      expected: 8,
      actual: size,
    });
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(headerLimit)) {
    throw new BadDataError(
      `${file}: the header at offset 0 claims ${length} bytes, at most ${headerLimit} are allowed; this is no safetensors file`,
      { file, offset: 0, claimed: String(length) },
    );
  }
  if (length > BigInt(size - 8)) {
    throw new BadDataError(`${file} is cut short: its header needs ${length + 8n} bytes, the file has ${size}; copy it again`, {
      file,
      offset: 0,
      expected: String(length + 8n),
      actual: size,
    });
  }
  return Number(length);
}

/** A header is an object of objects with lists. */
const deepest = 3;

/** Most tensors of a file; models of 10¹² parameters have fewer in all their files. */
const tensorLimit = 250_000;
/** Most keys in all entries together: each tensor has dtype, shape and data_offsets, and there is metadata. */
const fieldLimit = 4 * tensorLimit;

/**
 * Refuses deep nesting and too many names before anything is parsed: each level and each name takes memory, and 100 MB hold
 * millions of them.
 */
function requireModest(bytes: Uint8Array, file: string): void {
  let [depth, inText, tensors, fields] = [0, false, 0, 0];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (inText) {
      if (byte === 0x5c) at += 1;
      else if (byte === 0x22) inText = false;
    } else if (byte === 0x22) inText = true;
    else if (byte === 0x7b || byte === 0x5b) depth += 1;
    else if (byte === 0x7d || byte === 0x5d) depth -= 1;
    else if (byte === 0x3a && depth === 1) tensors += 1;
    else if (byte === 0x3a) fields += 1;
    if (depth > deepest) {
      throw new BadDataError(
        `${file}: the header is nested deeper than ${deepest} levels at offset ${at + 8}; this is no safetensors file`,
        {
          file,
          offset: at + 8,
        },
      );
    }
    if (tensors > tensorLimit || fields > fieldLimit) {
      throw new BadDataError(
        `${file}: the header has more than ${tensorLimit} tensors or ${fieldLimit} fields at offset ${at + 8}; split the file into shards`,
        { file, offset: at + 8 },
      );
    }
  }
}

/**
 * Parses and checks a header: names, dtypes, shapes, and offsets that cover the data without overlap or gap.
 *
 * @param bytes the header alone
 * @param dataBytes bytes after the header
 * @throws {BadDataError} naming file, tensor, expected and actual
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number, file: string): SafetensorsHeader {
  if (bytes[0] !== 0x7b) {
    throw new BadDataError(`${file}: the header at offset 8 does not begin with "{"; this is no safetensors file`, {
      file,
      offset: 8,
    });
  }
  requireModest(bytes, file);
  const json = parseJsonObject(bytes, `${file}: the header`, file);
  const tensors: HeaderEntry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(json)) {
    if (name === "__metadata__") metadata = parseMetadata(value, file);
    else tensors.push(parseEntry(name, value, file));
  }
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCover(tensors, dataBytes, bytes.length + 8, file);
  return { metadata, tensors };
}

function parseMetadata(value: unknown, file: string): Record<string, string> {
  if (typeof value !== "object" || value === null || Object.values(value).some((text) => typeof text !== "string")) {
    throw new BadDataError(`${file}: __metadata__ is no object of strings; write the file again from its source`, { file });
  }
  return value as Record<string, string>;
}

function parseEntry(name: string, value: unknown, file: string): HeaderEntry {
  const refuse = (problem: string): never => {
    throw new BadDataError(`${file}: tensor ${JSON.stringify(name)} ${problem}; write the file again from its source`, {
      file,
      tensor: name,
    });
  };
  if (typeof value !== "object" || value === null) return refuse("has no description");
  const { dtype, shape, data_offsets: offsets } = value as JsonObject;
  const width = typeof dtype === "string" ? bytesOf.get(dtype) : undefined;
  if (typeof dtype !== "string" || width === undefined) return refuse(`has the unknown dtype ${JSON.stringify(dtype)}`);
  if (!Array.isArray(shape) || !shape.every(isCount)) return refuse("has a shape that is no list of whole numbers");
  const [begin, end, ...more] = Array.isArray(offsets) ? (offsets as unknown[]) : [];
  if (!isCount(begin) || !isCount(end) || more.length > 0) return refuse("has bad data_offsets");
  const expected = shape.reduce((product, side) => product * BigInt(side), BigInt(width));
  if (BigInt(end) - BigInt(begin) !== expected) {
    return refuse(
      `of ${dtype} [${shape.join(", ")}] needs ${expected} bytes, its offsets ${begin} to ${end} span ${end - begin}`,
    );
  }
  return { name, storedDtype: dtype, shape, begin, end };
}

function checkCover(tensors: readonly HeaderEntry[], dataBytes: number, dataStart: number, file: string): void {
  let covered = 0;
  let previous: HeaderEntry | undefined;
  for (const entry of tensors) {
    const shares = previous !== undefined && entry.begin === previous.begin;
    if (entry.begin < covered || shares) {
      const names = `${JSON.stringify(previous?.name)} and ${JSON.stringify(entry.name)}`;
      throw new BadDataError(
        `${file}: tensors ${names} overlap at offset ${dataStart + entry.begin}; write the file again from its source`,
        { file, offset: dataStart + entry.begin, tensor: entry.name, ...(previous && { other: previous.name }) },
      );
    }
    if (entry.begin > covered) {
      throw new BadDataError(
        `${file}: a gap of ${entry.begin - covered} bytes at offset ${dataStart + covered} between tensors ${JSON.stringify(previous?.name ?? "(start)")} and ${JSON.stringify(entry.name)}; write the file again from its source`,
        { file, offset: dataStart + covered, tensor: entry.name, ...(previous && { other: previous.name }) },
      );
    }
    covered = entry.end;
    previous = entry;
  }
  if (covered > dataBytes) {
    throw new BadDataError(
      `${file} is cut short: its tensors need ${dataStart + covered} bytes, the file has ${dataStart + dataBytes}; copy it again`,
      { file, expected: dataStart + covered, actual: dataStart + dataBytes, ...(previous && { tensor: previous.name }) },
    );
  }
  if (covered < dataBytes) {
    throw new BadDataError(
      `${file} has ${dataBytes - covered} trailing bytes after tensor ${JSON.stringify(previous?.name ?? "(none)")}: ${dataStart + covered} expected, ${dataStart + dataBytes} found; write the file again from its source`,
      { file, expected: dataStart + covered, actual: dataStart + dataBytes, ...(previous && { tensor: previous.name }) },
    );
  }
}
