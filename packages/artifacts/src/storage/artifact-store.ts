import { InternalError, type ArtifactStream } from "@mbs/contracts";
import type { Receipt } from "../receipt.ts";
export interface StoredArtifact {
  readonly address: string;
  readonly kind: string;
  readonly rows: number;
  readonly bytes: number;
}
export class ArtifactStore {
  readonly root: string;
  constructor(root: string) {
    this.root = root;
  }
  put(_stream: ArtifactStream, _options?: { readonly signal?: AbortSignal }): Promise<Receipt> {
    throw new InternalError("soon");
  }
  open(_address: string): Promise<ArtifactStream> {
    throw new InternalError("soon");
  }
  has(_address: string): Promise<boolean> {
    throw new InternalError("soon");
  }
  list(): Promise<readonly StoredArtifact[]> {
    throw new InternalError("soon");
  }
}
