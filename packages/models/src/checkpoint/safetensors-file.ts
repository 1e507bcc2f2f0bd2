import { basename } from "node:path";
import { fileSize } from "../folder/json-file.ts";
import { openFile } from "../folder/open-file.ts";
import type { TensorFile } from "./checkpoint.ts";
import { headerLength, parseHeader } from "./safetensors-header.ts";

/** A safetensors file that stays open. */
export interface SafetensorsFile extends TensorFile {
  readonly size: number;
}

/**
 * Opens a safetensors file and checks its header against its size.
 *
 * @throws {BadDataError} when it is missing, cut short, or contradicts itself
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  await fileSize(path);
  const file = openFile(path);
  try {
    const { size } = file;
    const prefix = new Uint8Array(Math.min(8, size));
    file.readInto(0, prefix);
    const length = headerLength(prefix, size, path);
    const header = new Uint8Array(length);
    file.readInto(8, header);
    const dataStart = 8 + length;
    return {
      path,
      name: basename(path),
      size,
      ...parseHeader(header, size - dataStart, path),
      readInto(entry, offset, target) {
        if (offset < 0 || offset + target.length > entry.end - entry.begin) {
          throw new RangeError(`${basename(path)}: ${entry.name} has no bytes ${offset} to ${offset + target.length}`);
        }
        file.readInto(dataStart + entry.begin + offset, target);
      },
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}
