import { InternalError, type ArtifactStream } from "@mbs/contracts";
import type { Receipt } from "./receipt.ts";
export function contentAddress(_stream: ArtifactStream): Promise<Receipt> {
  throw new InternalError("soon");
}
