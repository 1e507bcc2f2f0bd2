import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { BadDataError } from "@mbs/contracts";

/** An open file, of which parts are read, never the whole. */
export interface OpenFile {
  readonly path: string;
  readonly size: number;
  /** Fills `target` from byte `position`. @throws {BadDataError} where the file ends before */
  readInto(position: number, target: Uint8Array): void;
  close(): void;
}

/** Opens a file that is known to be there. */
export function openFile(path: string): OpenFile {
  const descriptor = openSync(path, "r");
  return {
    path,
    size: fstatSync(descriptor).size,
    readInto(position, target) {
      let done = 0;
      while (done < target.length) {
        const count = readSync(descriptor, target, done, target.length - done, position + done);
        if (count === 0) {
          const [expected, actual] = [position + target.length, position + done];
          throw new BadDataError(`${path} was cut short while open: ${expected} bytes expected, ${actual} found; copy it again`, {
            file: path,
            expected,
            actual,
          });
        }
        done += count;
      }
    },
    close: () => closeSync(descriptor),
  };
}
