import type { FilePiece } from "@mbs/artifacts";
import { InterruptedError } from "@mbs/contracts";

/** One file of a model's folder that is written. */
export interface OutputFile {
  /** Relative to the folder, with "/" between its parts. */
  readonly path: string;
  /** Its bytes in pieces; asked for once, when the file's turn comes. */
  readonly content: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

export const textFile = (path: string, text: string): OutputFile => ({
  path,
  content: () => [new TextEncoder().encode(text)],
});

/** A JSON file as most programs write theirs. */
export const jsonFile = (path: string, value: object): OutputFile => textFile(path, `${JSON.stringify(value, undefined, 2)}\n`);

/**
 * A file as pieces of an artifact of kind `files`.
 *
 * @param stage for the message
 * @returns the file's bytes
 * @throws {InterruptedError} when the signal fires
 */
export async function* filePieces(
  { path, content }: OutputFile,
  stage: string,
  signal: AbortSignal,
): AsyncGenerator<FilePiece, number> {
  let offset = 0;
  for await (const data of content()) {
    if (signal.aborted) throw new InterruptedError(`${stage}: stopped`);
    yield { path, offset, data };
    offset += data.length;
  }
  if (offset === 0) yield { path, offset, data: new Uint8Array(0) };
  return offset;
}
