import { InternalError, type ArtifactStream } from "@mbs/contracts";
import type { Receipt } from "../receipt.ts";
export interface WriteOptions {
  /** Replace what is at the path. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}
export function writeArtifact(_stream: ArtifactStream, _path: string, _options?: WriteOptions): Promise<Receipt> {
  throw new InternalError("soon");
}
export function openArtifact(_path: string): Promise<ArtifactStream> {
  throw new InternalError("soon");
}
