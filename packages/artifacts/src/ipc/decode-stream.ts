import { InternalError, type ArtifactStream } from "@mbs/contracts";
export function decodeStream(_bytes: AsyncIterable<Uint8Array>): Promise<ArtifactStream> {
  throw new InternalError("soon");
}
