import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { fileSize } from "./json-file.ts";
import { headerLength, parseHeader } from "./safetensors-header.ts";
import type { HeaderEntry } from "./safetensors-header.ts";

/** A safetensors file that stays open; parts are read at their place, never the whole. */
export interface SafetensorsFile {
  readonly path: string;
  readonly size: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their offsets. */
  readonly tensors: readonly HeaderEntry[];
  /** Fills `target` from byte `offset` of the tensor. */
  readInto(entry: HeaderEntry, offset: number, target: Uint8Array): void;
  close(): void;
}

function readAt(descriptor: number, position: number, target: Uint8Array, path: string): void {
  let done = 0;
  while (done < target.length) {
    const count = readSync(descriptor, target, done, target.length - done, position + done);
    if (count === 0) {
      const expected = position + target.length;
      throw new BadDataError(
        `${path} was cut short while open: ${expected} bytes expected, ${position + done} found; copy it again`,
        {
          file: path,
          expected,
          actual: position + done,
        },
      );
    }
    done += count;
  }
}

/**
 * Opens a safetensors file and checks its header against its size.
 *
 * @throws {BadDataError} when it is missing, cut short, or contradicts itself
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  await fileSize(path);
  const descriptor = openSync(path, "r");
  try {
    const size = fstatSync(descriptor).size;
    const prefix = new Uint8Array(Math.min(8, size));
    readAt(descriptor, 0, prefix, path);
    const length = headerLength(prefix, size, path);
    const header = new Uint8Array(length);
    readAt(descriptor, 8, header, path);
    const dataStart = 8 + length;
    return {
      path,
      size,
      ...parseHeader(header, size - dataStart, path),
      readInto(entry, offset, target) {
        if (offset < 0 || offset + target.length > entry.end - entry.begin) {
          throw new RangeError(`${basename(path)}: ${entry.name} has no bytes ${offset} to ${offset + target.length}`);
        }
        readAt(descriptor, dataStart + entry.begin + offset, target, path);
      },
      close: () => closeSync(descriptor),
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}
