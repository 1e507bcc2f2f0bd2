import type { ArtifactStream } from "@mbs/contracts";
import { decodeStream, type DecodedStream } from "../../ipc/decode-stream.ts";
import { encodeStream } from "../../ipc/encode-stream.ts";
import { Spool, type SpoolSlot } from "./spool.ts";

/** An artifact in a temporary file, to be read more than once. */
export class SpooledArtifact {
  readonly #spool: Spool;
  readonly #slots: readonly SpoolSlot[];

  private constructor(spool: Spool, slots: readonly SpoolSlot[]) {
    this.#spool = spool;
    this.#slots = slots;
  }

  /** Reads a stream to its end. */
  static async from(stream: ArtifactStream): Promise<SpooledArtifact> {
    const spool = new Spool();
    try {
      const slots: SpoolSlot[] = [];
      for await (const bytes of encodeStream(stream).bytes) slots.push(spool.append(bytes));
      return new SpooledArtifact(spool, slots);
    } catch (error) {
      spool.close();
      throw error;
    }
  }

  /** The artifact from its beginning. */
  open(): Promise<DecodedStream> {
    return decodeStream(this.#bytes());
  }

  close(): void {
    this.#spool.close();
  }

  async *#bytes(): AsyncGenerator<Uint8Array> {
    for (const slot of this.#slots) yield this.#spool.read(slot);
  }
}
