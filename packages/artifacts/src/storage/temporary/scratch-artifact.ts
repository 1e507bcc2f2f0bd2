import type { ArtifactStream } from "@mbs/contracts";
import { decodeStream, type DecodedStream } from "../../ipc/decode-stream.ts";
import { encodeStream } from "../../ipc/encode-stream.ts";
import { ScratchFile, type ScratchSlot } from "./scratch-file.ts";

/** An artifact in a temporary file, to be read more than once. */
export class ScratchArtifact {
  readonly #scratch: ScratchFile;
  readonly #slots: readonly ScratchSlot[];

  private constructor(scratch: ScratchFile, slots: readonly ScratchSlot[]) {
    this.#scratch = scratch;
    this.#slots = slots;
  }

  /** Reads a stream to its end. */
  static async from(stream: ArtifactStream): Promise<ScratchArtifact> {
    const scratch = new ScratchFile();
    try {
      const slots: ScratchSlot[] = [];
      for await (const bytes of encodeStream(stream).bytes) slots.push(scratch.append(bytes));
      return new ScratchArtifact(scratch, slots);
    } catch (error) {
      scratch.close();
      throw error;
    }
  }

  /** The artifact from its beginning. */
  open(): Promise<DecodedStream> {
    return decodeStream(this.#bytes());
  }

  close(): void {
    this.#scratch.close();
  }

  async *#bytes(): AsyncGenerator<Uint8Array> {
    for (const slot of this.#slots) yield this.#scratch.read(slot);
  }
}
