import { BadDataError } from "@mbs/contracts";
import type { ReadableFile } from "./byte-cursor.ts";
import { quantisationTypes } from "../blocks/quantisation-types.ts";
import type { QuantisationType } from "../blocks/quantisation-types.ts";
import { ByteCursor } from "./byte-cursor.ts";

/** A value of a file's metadata. Integers beyond 2⁵³ are bigint. */
export type GgufValue = number | bigint | boolean | string | readonly (number | bigint | boolean | string)[];

/** The metadata of a GGUF file, by key, in the file's order. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** A tensor of a GGUF file and where its bytes are. */
export interface GgufTensor {
  readonly name: string;
  readonly type: QuantisationType;
  /** As other programs have it: rows before columns. The file has the reverse. */
  readonly shape: readonly number[];
  /** Offsets of its bytes in the file. */
  readonly begin: number;
  readonly end: number;
}

export interface GgufHeader {
  /** 2 or 3, which differ for big-endian machines alone. */
  readonly version: number;
  readonly metadata: GgufMetadata;
  /** In the order of their offsets, which is that of the file's table. */
  readonly tensors: readonly GgufTensor[];
}

/*
 * The header is read here and not by a library: @huggingface/gguf 0.4.6 takes zeros for what is missing at the end of a file
 * that was cut, keeps the last of two keys or tensors of one name without a word, reads a string as shorter where its end is
 * not in memory yet, and checks no tensor against the size of the file.
 */

/** Bytes of a header: the largest vocabularies take 20 million. */
const headerLimit = 200_000_000;
const keyLimit = 65_536;
const tensorLimit = 250_000;
const nameLimit = 65_535;
const textLimit = 20_000_000;
const arrayLimit = 8_000_000;
const dimensionLimit = 4;
const alignmentLimit = 1_048_576;

const magic = 0x46554747; // "GGUF"

type Scalar = number | bigint | boolean | string;

interface ValueType {
  readonly name: string;
  /** Least number of bytes of a value. */
  readonly bytes: number;
  readonly read: (cursor: ByteCursor, what: string) => Scalar;
}

const small = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;

/** Types of values by their number in the file; 9 is an array. */
const valueTypes: ReadonlyMap<number, ValueType> = new Map([
  [0, { name: "u8", bytes: 1, read: (cursor, what) => cursor.u8(what) }],
  [1, { name: "i8", bytes: 1, read: (cursor, what) => cursor.i8(what) }],
  [2, { name: "u16", bytes: 2, read: (cursor, what) => cursor.u16(what) }],
  [3, { name: "i16", bytes: 2, read: (cursor, what) => cursor.i16(what) }],
  [4, { name: "u32", bytes: 4, read: (cursor, what) => cursor.u32(what) }],
  [5, { name: "i32", bytes: 4, read: (cursor, what) => cursor.i32(what) }],
  [6, { name: "f32", bytes: 4, read: (cursor, what) => cursor.f32(what) }],
  [7, { name: "bool", bytes: 1, read: (cursor, what) => cursor.u8(what) !== 0 }],
  [8, { name: "string", bytes: 8, read: (cursor, what) => cursor.text(what, textLimit) }],
  [10, { name: "u64", bytes: 8, read: (cursor, what) => small(cursor.u64(what)) }],
  [11, { name: "i64", bytes: 8, read: (cursor, what) => small(cursor.i64(what)) }],
  [12, { name: "f64", bytes: 8, read: (cursor, what) => cursor.f64(what) }],
] satisfies [number, ValueType][]);

const arrayType = 9;

/** Reads the parts of a header, one after the other. */
class HeaderReader {
  readonly #cursor: ByteCursor;
  readonly #path: string;

  constructor(file: ReadableFile) {
    this.#cursor = new ByteCursor(file, headerLimit);
    this.#path = file.path;
  }

  get offset(): number {
    return this.#cursor.offset;
  }

  refuse(problem: string, facts: Record<string, string | number> = {}): never {
    throw new BadDataError(`${this.#path}: ${problem}`, { file: this.#path, ...facts });
  }

  /** @returns version, number of tensors, number of metadata keys */
  start() {
    const cursor = this.#cursor;
    cursor.require(24, "a GGUF file's first part");
    if (cursor.u32("magic") !== magic) this.refuse('does not begin with "GGUF"; this is no GGUF file', { offset: 0 });
    const version = cursor.u32("version");
    if (version !== 2 && version !== 3) {
      if ((version & 0xffff) === 0 && version !== 0) {
        this.refuse("is for big-endian machines; convert it with gguf_convert_endian.py", { offset: 4 });
      }
      this.refuse(`has version ${version} at offset 4, supported: 2, 3; convert the model again`, { offset: 4, version });
    }
    const tensors = cursor.count("the number of tensors", tensorLimit);
    const keys = cursor.count("the number of metadata keys", keyLimit);
    return { version, tensors, keys };
  }

  metadata(count: number): GgufMetadata {
    const metadata = new Map<string, GgufValue>();
    for (let index = 0; index < count; index += 1) {
      const { offset } = this;
      const key = this.#cursor.text(`metadata key ${index}`, nameLimit);
      if (metadata.has(key)) {
        this.refuse(
          `metadata key ${JSON.stringify(key)} is there twice, the second time at offset ${offset}; convert the model again`,
          {
            key,
            offset,
          },
        );
      }
      metadata.set(key, this.#value(key));
    }
    return metadata;
  }

  #type(key: string): ValueType | undefined {
    const { offset } = this;
    const number = this.#cursor.u32(`the type of ${key}`);
    const type = valueTypes.get(number);
    if (type === undefined && number !== arrayType) {
      this.refuse(
        `metadata key ${JSON.stringify(key)} has the unknown type ${number} at offset ${offset}; convert the model again`,
        {
          key,
          offset,
        },
      );
    }
    return type;
  }

  #value(key: string): GgufValue {
    const type = this.#type(key);
    if (type !== undefined) return type.read(this.#cursor, key);
    const { offset } = this;
    const element = this.#type(key);
    if (element === undefined) {
      return this.refuse(`metadata key ${JSON.stringify(key)} has lists in a list at offset ${offset}; convert the model again`, {
        key,
        offset,
      });
    }
    const length = this.#cursor.count(`the length of ${key}`, arrayLimit);
    this.#cursor.require(length * element.bytes, key);
    const values: Scalar[] = [];
    for (let index = 0; index < length; index += 1) values.push(element.read(this.#cursor, key));
    return values;
  }

  tensor(index: number): Omit<GgufTensor, "begin" | "end"> & { readonly offset: bigint; readonly bytes: bigint } {
    const cursor = this.#cursor;
    const name = cursor.text(`the name of tensor ${index}`, nameLimit);
    const label = `tensor ${JSON.stringify(name)}`;
    const refuse = (problem: string): never => this.refuse(`${label} ${problem}; convert the model again`, { tensor: name });
    const dimensions = cursor.u32(`the dimensions of ${label}`);
    if (dimensions < 1 || dimensions > dimensionLimit) refuse(`has ${dimensions} dimensions, not 1 to ${dimensionLimit}`);
    const sides = Array.from({ length: dimensions }, () => cursor.u64(`a dimension of ${label}`));
    const number = cursor.u32(`the type of ${label}`);
    const offset = cursor.u64(`the offset of ${label}`);
    const type = quantisationTypes.get(number) ?? refuse(`has the unknown type ${number}`);
    if (sides.includes(0n)) refuse(`has no values: its dimensions are [${sides.join(", ")}]`);
    if ((sides[0] ?? 0n) % BigInt(type.values) !== 0n) {
      refuse(`of ${type.name} has rows of ${sides[0]} values, not whole blocks of ${type.values}`);
    }
    const elements = sides.reduce((product, side) => product * side, 1n);
    const bytes = (elements / BigInt(type.values)) * BigInt(type.bytes);
    if (elements > BigInt(Number.MAX_SAFE_INTEGER)) refuse(`has ${elements} values, more than any file holds`);
    return { name, type, shape: sides.map(Number).toReversed(), offset, bytes };
  }
}

function readAlignment(metadata: GgufMetadata, reader: HeaderReader): number {
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || alignment < 1 || alignment > alignmentLimit || !Number.isInteger(Math.log2(alignment))) {
    return reader.refuse(
      `general.alignment is ${String(alignment).slice(0, 40)}, not a power of two up to ${alignmentLimit}; convert the model again`,
    );
  }
  return alignment;
}

/**
 * Reads and checks the header of a GGUF file: magic, version, metadata, and tensors that follow each other without overlap or
 * gap but for their alignment, as ggml demands it.
 *
 * @throws {BadDataError} naming file, offset and tensor, before anything is allocated that the file has no bytes for
 */
export function readGgufHeader(file: ReadableFile): GgufHeader {
  const reader = new HeaderReader(file);
  const { version, tensors: count, keys } = reader.start();
  const metadata = reader.metadata(keys);
  const alignment = readAlignment(metadata, reader);
  const names = new Set<string>();
  const entries = [];
  for (let index = 0; index < count; index += 1) {
    const entry = reader.tensor(index);
    if (names.has(entry.name)) {
      reader.refuse(`tensor ${JSON.stringify(entry.name)} is there twice; convert the model again`, { tensor: entry.name });
    }
    names.add(entry.name);
    entries.push(entry);
  }
  const padded = (value: bigint): bigint => ((value + BigInt(alignment) - 1n) / BigInt(alignment)) * BigInt(alignment);
  const start = padded(BigInt(reader.offset));
  let expected = 0n;
  let end = start;
  const tensors = entries.map(({ name, type, shape, offset, bytes }): GgufTensor => {
    if (offset !== expected) {
      const fault =
        offset % BigInt(alignment) !== 0n
          ? `is not aligned to ${alignment} bytes`
          : offset < expected
            ? "overlaps the tensor before it"
            : "leaves a gap after the tensor before it";
      reader.refuse(
        `tensor ${JSON.stringify(name)} at offset ${start + offset} ${fault}: ${start + expected} expected; convert the model again`,
        { tensor: name, offset: String(start + offset), expected: String(start + expected) },
      );
    }
    end = start + offset + bytes;
    expected = padded(offset + bytes);
    if (end > BigInt(file.size)) {
      throw new BadDataError(
        `${file.path} is cut short: tensor ${name} of ${type.name} [${shape.join(", ")}] ends at ${end}, the file has ${file.size} bytes; copy it again`,
        { file: file.path, tensor: name, expected: String(end), actual: file.size },
      );
    }
    return { name, type, shape, begin: Number(start + offset), end: Number(end) };
  });
  if (BigInt(file.size) > start + expected) {
    reader.refuse(`has ${BigInt(file.size) - end} bytes after its last tensor; copy it again`, {
      expected: String(start + expected),
      actual: file.size,
    });
  }
  return { version, metadata, tensors };
}
