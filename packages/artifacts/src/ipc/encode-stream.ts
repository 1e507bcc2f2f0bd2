import { InternalError, type ArtifactStream } from "@mbs/contracts";
import type { Receipt } from "../receipt.ts";

export interface EncodedStream {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly receipt: Promise<Receipt>;
}
export function encodeStream(_stream: ArtifactStream): EncodedStream {
  throw new InternalError("soon");
}
