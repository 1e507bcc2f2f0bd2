/** A GGUF file with tensors of float32 and metadata of texts and whole numbers, read without any check. */
export function ggufParts(bytes: Uint8Array): {
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Float32Array }>;
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let next = 8;
  const u32 = (): number => view.getUint32((next += 4) - 4, true);
  const u64 = (): number => Number(view.getBigUint64((next += 8) - 8, true));
  const text = (): string => {
    const length = u64();
    return new TextDecoder().decode(bytes.subarray(next, (next += length)));
  };
  const value = (type: number): unknown => {
    if (type === 4) return u32();
    if (type === 8) return text();
    if (type !== 9) throw new Error(`type ${type}`);
    const of = u32();
    return Array.from({ length: u64() }, () => value(of));
  };
  const [tensorCount, keyCount] = [u64(), u64()];
  const metadata = new Map(Array.from({ length: keyCount }, () => [text(), value(u32())] as const));
  const infos = Array.from({ length: tensorCount }, () => {
    const name = text();
    const shape = Array.from({ length: u32() }, u64).toReversed();
    u32();
    return { name, shape, offset: u64() };
  });
  const start = Math.ceil(next / 32) * 32;
  const tensors = infos.map(({ name, shape, offset }) => {
    const length = 4 * shape.reduce((product, side) => product * side, 1);
    const values = new Float32Array(new Uint8Array(bytes.subarray(start + offset, start + offset + length)).buffer);
    return [name, { shape, values }] as const;
  });
  return { metadata, tensors: new Map(tensors) };
}
