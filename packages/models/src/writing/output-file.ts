import type { FilePiece } from "@mbs/artifacts";
import { InterruptedError } from "@mbs/contracts";
import { writeSafetensors } from "../checkpoint/safetensors-writer.ts";
import { indexFile, singleFile } from "../checkpoint/weight-files.ts";
import type { WrittenFile } from "./whole-tensors.ts";

/** The tensors of a safetensors file. */
export interface PlacedTensors {
  readonly file: string;
  readonly tensors: readonly { readonly name: string; readonly bytes: number }[];
}

/** A file of safetensors, tensor by tensor. */
export const weightFile = ({ file, metadata, tensors, read }: WrittenFile): OutputFile => ({
  path: file,
  content: () => writeSafetensors(tensors, metadata, read),
});

/** The index of safetensors files, which says where each tensor is; none for the only file of a model. */
export function weightIndex(files: readonly PlacedTensors[]): readonly OutputFile[] {
  if (files.length === 1 && files[0]?.file === singleFile) return [];
  const placed = files.flatMap(({ file, tensors }) => tensors.map(({ name }) => [name, file]));
  const total = files.flatMap(({ tensors }) => tensors).reduce((sum, { bytes }) => sum + bytes, 0);
  return [jsonFile(indexFile, { metadata: { total_size: total }, weight_map: Object.fromEntries(placed) })];
}

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
