import type { DecodedStream } from "@mbs/artifacts";
import { readStandardInput, standardStream } from "./process/standard-streams.ts";

/** How messages call standard input. */
export const standardInputName = "standard input";

/**
 * Opens an artifact by its path, or the one on standard input.
 *
 * @param what is expected there, named where standard input is a terminal
 * @throws {UsageError} where standard input is a terminal
 * @throws as openArtifact
 */
export async function openInput(path: string, what: string, signal: AbortSignal): Promise<DecodedStream> {
  // Help comes this way too, and needs none of it.
  const { openArtifact, openNamed } = await import("@mbs/artifacts");
  return path === standardStream ? openNamed(readStandardInput(what, signal), standardInputName) : openArtifact(path);
}
