import { at } from "@mbs/contracts";
import { quantisationTypes } from "@mbs/gguf";
import type { GgufValue } from "@mbs/gguf";
import { openGgufFile } from "../../src/gguf/gguf-file.ts";

/** A value of metadata with the type that it is written as. */
export type TypedValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly string: string }
  | { readonly u64: bigint }
  | { readonly strings: readonly string[] }
  | { readonly f32s: readonly number[] }
  | { readonly i32s: readonly number[] }
  | { readonly raw: Uint8Array };

export interface TestTensor {
  readonly name: string;
  /** Number of its ggml type. */
  readonly type: number;
  /** Rows before columns. */
  readonly shape: readonly (number | bigint)[];
  readonly bytes: Uint8Array;
  /** Offset in the data; default where it belongs. */
  readonly offset?: bigint;
}

export interface TestFile {
  readonly metadata?: readonly (readonly [key: string, value: TypedValue])[];
  readonly tensors?: readonly TestTensor[];
  readonly alignment?: number;
  readonly version?: number;
  readonly magic?: string;
  /** What the header says in place of the true numbers. */
  readonly tensorCount?: bigint;
  readonly keyCount?: bigint;
}

const u32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
};
const f32 = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer);
export const u64 = (value: number | bigint): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
};
export const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const text = (value: string): Uint8Array => {
  const bytes = new TextEncoder().encode(value);
  return join(u64(bytes.length), bytes);
};
const list = (type: number, items: readonly Uint8Array[]): Uint8Array => join(u32(9), u32(type), u64(items.length), ...items);

function valueBytes(value: TypedValue): Uint8Array {
  if ("u32" in value) return join(u32(4), u32(value.u32));
  if ("f32" in value) return join(u32(6), f32(value.f32));
  if ("bool" in value) return join(u32(7), Uint8Array.of(value.bool ? 1 : 0));
  if ("string" in value) return join(u32(8), text(value.string));
  if ("u64" in value) return join(u32(10), u64(value.u64));
  if ("strings" in value) return list(8, value.strings.map(text));
  if ("f32s" in value) return list(6, value.f32s.map(f32));
  if ("i32s" in value) return list(5, value.i32s.map(u32));
  return value.raw;
}

/** A GGUF file, as its header says or as a test wants it. */
export function ggufBytes({
  metadata = [],
  tensors = [],
  alignment = 32,
  version = 3,
  magic = "GGUF",
  ...counts
}: TestFile): Uint8Array {
  let next = 0n;
  const padding = (length: number): Uint8Array => new Uint8Array((alignment - (length % alignment)) % alignment);
  const header = join(
    new TextEncoder().encode(magic),
    u32(version),
    u64(counts.tensorCount ?? BigInt(tensors.length)),
    u64(counts.keyCount ?? BigInt(metadata.length)),
    ...metadata.flatMap(([key, value]) => [text(key), valueBytes(value)]),
    ...tensors.flatMap(({ name, type, shape, bytes, offset }) => {
      const own = next;
      next += BigInt(bytes.length + padding(bytes.length).length);
      return [text(name), u32(shape.length), ...shape.toReversed().map(u64), u32(type), u64(offset ?? own)];
    }),
  );
  return join(header, padding(header.length), ...tensors.flatMap(({ bytes }) => [bytes, padding(bytes.length)]));
}

/** A tensor of float32 with the values 0, 1, 2, … */
export function countingTensor(name: string, shape: readonly number[]): TestTensor {
  const values = Float32Array.from({ length: shape.reduce((product, side) => product * side, 1) }, (_, index) => index);
  return { name, type: 0, shape, bytes: new Uint8Array(values.buffer) };
}

/** Numbers that are the same for the same seed. */
export function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export const pick = <T>(items: readonly T[], random: (below: number) => number): T => at(items, random(items.length));

function typed(value: GgufValue): TypedValue {
  if (typeof value === "string") return { string: value };
  if (typeof value === "boolean") return { bool: value };
  if (typeof value === "bigint") return { u64: value };
  if (typeof value === "number") return Number.isInteger(value) && value >= 0 ? { u32: value } : { f32: value };
  if (value.every((item) => typeof item === "string")) return { strings: value.map(String) };
  return value.every(Number.isInteger) ? { i32s: value.map(Number) } : { f32s: value.map(Number) };
}

/** The content of a file, to be changed and written again; whole numbers become u32. */
export async function contentOf(path: string): Promise<Required<Pick<TestFile, "metadata" | "tensors">>> {
  const file = await openGgufFile(path);
  const numberOf = new Map([...quantisationTypes].map(([number, type]) => [type, number]));
  const tensors = file.tensors.map((tensor): TestTensor => {
    const bytes = new Uint8Array(tensor.end - tensor.begin);
    file.readInto(tensor, 0, bytes);
    return { name: tensor.name, type: numberOf.get(tensor.type) ?? -1, shape: tensor.shape, bytes };
  });
  file.close();
  return { metadata: [...file.metadata].map(([key, value]) => [key, typed(value)] as const), tensors };
}
