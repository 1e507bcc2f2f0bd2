/** Encoded artifacts that were written last, by address, up to a number of bytes: who reads one soon need not read its file. */
export class RecentBytes {
  readonly #limit: number;
  readonly #kept = new Map<string, { readonly chunks: readonly Uint8Array[]; readonly bytes: number }>();
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The chunks of an artifact, which nobody may change. */
  get(address: string): readonly Uint8Array[] | undefined {
    return this.#kept.get(address)?.chunks;
  }

  /** Passes chunks on and notes them; `keep` keeps them under their address, which is known at their end. */
  note(bytes: AsyncIterable<Uint8Array>): { readonly bytes: AsyncIterable<Uint8Array>; keep(address: string): void } {
    const limit = this.#limit;
    let noted: Uint8Array[] | undefined = [];
    let total = 0;
    const pass = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of bytes) {
        total += chunk.length;
        if (total > limit) noted = undefined;
        noted?.push(chunk);
        yield chunk;
      }
    };
    return {
      bytes: pass(),
      keep: (address) => {
        if (noted !== undefined) this.#keep(address, noted, total);
      },
    };
  }

  #keep(address: string, chunks: readonly Uint8Array[], bytes: number): void {
    this.remove(address);
    this.#kept.set(address, { chunks, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#limit) return;
      this.remove(oldest);
    }
  }

  remove(address: string): void {
    this.#bytes -= this.#kept.get(address)?.bytes ?? 0;
    this.#kept.delete(address);
  }
}
