import { InternalError } from "@mbs/contracts";

/** Types of metadata values by their number in the file. */
const typeNumbers = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

type NumberType = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64";
type BigType = "u64" | "i64";
type ScalarType = NumberType | BigType | "bool" | "string";

/** A value of the metadata and the type that it is written as. An array holds values of one type. */
export type GgufField =
  | { readonly type: NumberType; readonly value: number }
  | { readonly type: BigType; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "array"; readonly of: NumberType; readonly value: readonly number[] }
  | { readonly type: "array"; readonly of: "bool"; readonly value: readonly boolean[] }
  | { readonly type: "array"; readonly of: "string"; readonly value: readonly string[] };

/** A tensor to be written. */
export interface GgufWrittenTensor {
  readonly name: string;
  /** Its ggml type by number: 0 is F32. */
  readonly type: number;
  /** Rows before columns, as everywhere but in the file. */
  readonly shape: readonly number[];
  readonly bytes: number;
}

const version = 3;

/** Bytes of mark, version, and the numbers of tensors and metadata. */
const fixedBytes = 4 + 4 + 8 + 8;

/** What offsets of tensors are multiples of, where `general.alignment` does not say otherwise. */
const alignment = 32;

const padded = (length: number): number => Math.ceil(length / alignment) * alignment;

const numberWriters: Readonly<Record<NumberType | BigType, (view: DataView, offset: number, value: number | bigint) => void>> = {
  u8: (view, at, value) => view.setUint8(at, Number(value)),
  i8: (view, at, value) => view.setInt8(at, Number(value)),
  u16: (view, at, value) => view.setUint16(at, Number(value), true),
  i16: (view, at, value) => view.setInt16(at, Number(value), true),
  u32: (view, at, value) => view.setUint32(at, Number(value), true),
  i32: (view, at, value) => view.setInt32(at, Number(value), true),
  f32: (view, at, value) => view.setFloat32(at, Number(value), true),
  f64: (view, at, value) => view.setFloat64(at, Number(value), true),
  u64: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  i64: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
};

const sizes: Readonly<Record<NumberType | BigType, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  f64: 8,
  u64: 8,
  i64: 8,
};

function numberBytes(type: NumberType | BigType, value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(sizes[type]);
  numberWriters[type](new DataView(bytes.buffer), 0, value);
  return bytes;
}

/** Texts, each behind its length, in one buffer: a vocabulary has hundreds of thousands. */
function textBytes(texts: readonly string[]): Uint8Array {
  const lengths = texts.map((text) => Buffer.byteLength(text));
  const bytes = Buffer.alloc(lengths.reduce((sum, length) => sum + sizes.u64 + length, 0));
  let at = 0;
  for (const [index, text] of texts.entries()) {
    at = bytes.writeBigUInt64LE(BigInt(lengths[index] ?? 0), at);
    at += bytes.write(text, at);
  }
  return bytes;
}

function arrayBytes(of: NumberType, values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * sizes[of]);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) numberWriters[of](view, index * sizes[of], value);
  return bytes;
}

function scalarBytes(type: ScalarType, value: number | bigint | boolean | string): Uint8Array {
  if (type === "string") return textBytes([String(value)]);
  if (type === "bool") return Uint8Array.of(value === true ? 1 : 0);
  return numberBytes(type, typeof value === "bigint" ? value : Number(value));
}

const typeBytes = (type: keyof typeof typeNumbers): Uint8Array => numberBytes("u32", typeNumbers[type]);

function fieldBytes(field: GgufField): readonly Uint8Array[] {
  if (field.type !== "array") return [typeBytes(field.type), scalarBytes(field.type, field.value)];
  return [typeBytes("array"), typeBytes(field.of), numberBytes("u64", field.value.length), valuesBytes(field)];
}

function valuesBytes(field: Extract<GgufField, { type: "array" }>): Uint8Array {
  if (field.of === "string") return textBytes(field.value);
  if (field.of === "bool") return Uint8Array.from(field.value, Number);
  return arrayBytes(field.of, field.value);
}

/** Name, shape, type and offset of each tensor. */
function infosBytes(tensors: readonly GgufWrittenTensor[]): Uint8Array {
  let offset = 0;
  const infos = tensors.flatMap(({ name, type, shape, bytes }) => {
    const own = offset;
    offset += padded(bytes);
    return [
      textBytes([name]),
      numberBytes("u32", shape.length),
      ...shape.toReversed().map((side) => numberBytes("u64", side)),
      numberBytes("u32", type),
      numberBytes("u64", own),
    ];
  });
  return Buffer.concat(infos);
}

const metadataBytes = (metadata: ReadonlyMap<string, GgufField>): Uint8Array =>
  Buffer.concat([...metadata].flatMap(([key, field]) => [textBytes([key]), ...fieldBytes(field)]));

/** The header of a GGUF file of version 3, padded to where the first tensor begins. */
export function encodeGgufHeader(metadata: ReadonlyMap<string, GgufField>, tensors: readonly GgufWrittenTensor[]): Uint8Array {
  const header = Buffer.concat([
    new TextEncoder().encode("GGUF"),
    numberBytes("u32", version),
    numberBytes("u64", tensors.length),
    numberBytes("u64", metadata.size),
    metadataBytes(metadata),
    infosBytes(tensors),
  ]);
  const whole = new Uint8Array(padded(header.length));
  whole.set(header);
  return whole;
}

const textLength = (text: string): number => sizes.u64 + Buffer.byteLength(text);

/** Bytes of a field without its key, none of which is made: a vocabulary is large, and files of many types are asked for. */
function fieldLength(field: GgufField): number {
  if (field.type !== "array") return sizes.u32 + scalarBytes(field.type, field.value).length;
  const values =
    field.of === "string"
      ? field.value.reduce((sum, text) => sum + textLength(text), 0)
      : field.value.length * (field.of === "bool" ? 1 : sizes[field.of]);
  return 2 * sizes.u32 + sizes.u64 + values;
}

/** Bytes of a GGUF file. */
export function ggufBytes(metadata: ReadonlyMap<string, GgufField>, tensors: readonly GgufWrittenTensor[]): number {
  const lengths = [...metadata].map(([key, field]) => textLength(key) + fieldLength(field));
  const begin = padded(lengths.reduce((sum, length) => sum + length, fixedBytes) + infosBytes(tensors).length);
  return tensors.reduce((total, { bytes }) => total + padded(bytes), begin);
}

/**
 * A GGUF file as pieces, so that at most one tensor is in memory.
 *
 * @param read the bytes of one tensor, in all `tensor.bytes`
 * @throws {InternalError} when a tensor's pieces do not add up to its size, or a name is there twice
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export async function* writeGguf(
  metadata: ReadonlyMap<string, GgufField>,
  tensors: readonly GgufWrittenTensor[],
  read: (tensor: GgufWrittenTensor) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const names = new Set(tensors.map(({ name }) => name));
  if (names.size !== tensors.length) throw new InternalError("GGUF: two tensors have one name");
  yield encodeGgufHeader(metadata, tensors);
  for (const tensor of tensors) {
    let length = 0;
    for await (const piece of read(tensor)) {
      length += piece.length;
      yield piece;
    }
    if (length !== tensor.bytes) {
      throw new InternalError(`GGUF: tensor ${tensor.name} has ${length} bytes, not the announced ${tensor.bytes}`);
    }
    if (padded(length) > length) yield new Uint8Array(padded(length) - length);
  }
}
