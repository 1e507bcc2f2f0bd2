/** Exact numbers of bytes out of chunks of any size. Each byte is copied once, whatever the chunks. */
export interface ByteReader {
  /** Bytes read so far. */
  readonly offset: number;
  /** The next `length` bytes, fewer only at the end of the source. Aligned memory of their own. */
  read(length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Reads from chunks; the source is closed with the reader. */
export function readBytes(source: AsyncIterable<Uint8Array>): ByteReader {
  const chunks = source[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array(0);
  let used = 0;
  let offset = 0;
  return {
    get offset() {
      return offset;
    },
    async read(length) {
      // Not a Buffer, whose slice() is a view where that of Uint8Array is a copy.
      const target = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
      let filled = 0;
      while (filled < length) {
        if (used === chunk.length) {
          const next = await chunks.next();
          if (next.done) break;
          chunk = next.value;
          used = 0;
        }
        const taken = chunk.subarray(used, used + length - filled);
        target.set(taken, filled);
        filled += taken.length;
        used += taken.length;
      }
      offset += filled;
      return target.subarray(0, filled);
    },
    async close() {
      await chunks.return?.();
    },
  };
}

/** One chunk as a source. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
