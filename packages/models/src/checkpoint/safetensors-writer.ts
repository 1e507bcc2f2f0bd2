import type { TensorInfo } from "./checkpoint.ts";

/** Bytes of a tensor, in pieces. */
export type TensorPieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** The header of a safetensors file with these tensors, in this order, without gaps. Padded with spaces to 8 bytes. */
export function encodeHeader(tensors: readonly TensorInfo[], metadata: Readonly<Record<string, string>>): Uint8Array {
  let offset = 0;
  const entries = tensors.map(({ name, storedDtype, shape, bytes }): [string, unknown] => {
    const begin = offset;
    offset += bytes;
    return [name, { dtype: storedDtype, shape, data_offsets: [begin, offset] }];
  });
  // Object.fromEntries defines own properties, so a name such as "__proto__" stays a name.
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries([["__metadata__", metadata], ...entries])));
  const length = Math.ceil(text.length / 8) * 8;
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(text, 8);
  return header;
}

/**
 * A safetensors file as pieces, so that at most one tensor is in memory.
 *
 * @param read the bytes of one tensor, in all `tensor.bytes`
 * @throws {RangeError} when a tensor's pieces do not add up to its size
 */
export async function* writeSafetensors(
  tensors: readonly TensorInfo[],
  metadata: Readonly<Record<string, string>>,
  read: (tensor: TensorInfo) => TensorPieces,
): AsyncGenerator<Uint8Array> {
  yield encodeHeader(tensors, metadata);
  for (const tensor of tensors) {
    let length = 0;
    for await (const piece of read(tensor)) {
      length += piece.length;
      yield piece;
    }
    if (length !== tensor.bytes)
      throw new RangeError(`tensor ${tensor.name} has ${length} bytes, not the announced ${tensor.bytes}`);
  }
}
