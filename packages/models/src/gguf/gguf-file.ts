import { readGgufHeader } from "@mbs/gguf";
import type { GgufHeader, GgufTensor } from "@mbs/gguf";
import { fileSize } from "../folder/json-file.ts";
import { openFile } from "../folder/open-file.ts";

/** A GGUF file that stays open. */
export interface GgufFile extends GgufHeader {
  readonly path: string;
  readonly size: number;
  /** Fills `target` from byte `offset` of the tensor's stored bytes. */
  readInto(tensor: GgufTensor, offset: number, target: Uint8Array): void;
  close(): void;
}

/**
 * Opens a GGUF file and checks its header against its size.
 *
 * @throws {BadDataError} when it is missing, cut short, or contradicts itself
 */
export async function openGgufFile(path: string): Promise<GgufFile> {
  await fileSize(path);
  const file = openFile(path);
  try {
    return {
      ...readGgufHeader(file),
      path,
      size: file.size,
      readInto(tensor, offset, target) {
        if (offset < 0 || tensor.begin + offset + target.length > tensor.end) {
          throw new RangeError(`${path}: ${tensor.name} has no bytes ${offset} to ${offset + target.length}`);
        }
        file.readInto(tensor.begin + offset, target);
      },
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}
