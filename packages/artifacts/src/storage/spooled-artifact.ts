import type { ArtifactStream } from "@mbs/contracts";
import { decodeStream, type DecodedStream } from "../ipc/decode-stream.ts";
import { encodeStream } from "../ipc/encode-stream.ts";
import { Spool, type SpoolPlace } from "./spool.ts";

/** An artifact in a temporary file, for who has to read it more than once. */
export class SpooledArtifact {
  readonly #spool: Spool;
  readonly #places: readonly SpoolPlace[];

  private constructor(spool: Spool, places: readonly SpoolPlace[]) {
    this.#spool = spool;
    this.#places = places;
  }

  /** Reads a stream to its end. */
  static async from(stream: ArtifactStream): Promise<SpooledArtifact> {
    const spool = new Spool();
    try {
      const places: SpoolPlace[] = [];
      for await (const bytes of encodeStream(stream).bytes) places.push(spool.append(bytes));
      return new SpooledArtifact(spool, places);
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
    for (const place of this.#places) yield this.#spool.read(place);
  }
}
