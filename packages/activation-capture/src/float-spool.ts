import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputOutputError } from "@mbs/contracts";

/** Where values lie in a spool. */
export interface SpoolPlace {
  readonly offset: number;
  readonly length: number;
}

/**
 * Float32 values in a nameless temporary file, so that memory does not grow with the number of segments. The file is
 * gone as soon as the process ends, however it ends.
 */
export class FloatSpool {
  readonly #descriptor: number;
  readonly #folder: string;
  #end = 0;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), "mbs-spool-"));
    const path = join(this.#folder, "values");
    this.#descriptor = openSync(path, "w+", 0o600);
    rmSync(this.#folder, { recursive: true });
  }

  append(values: Float32Array): SpoolPlace {
    const place = { offset: this.#end, length: values.length };
    this.overwrite(place, values);
    this.#end += values.byteLength;
    return place;
  }

  /** Writes values in the place of others of the same length. */
  overwrite({ offset }: SpoolPlace, values: Float32Array): void {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    try {
      for (let done = 0; done < bytes.length;)
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, offset + done);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new InputOutputError(
        `cannot write ${bytes.length} bytes to ${tmpdir()} (${reason}); free space there or set TMPDIR`,
        { folder: tmpdir() },
        { cause },
      );
    }
  }

  read({ offset, length }: SpoolPlace): Float32Array {
    const values = new Float32Array(length);
    this.readInto({ offset, length }, values);
    return values;
  }

  readInto({ offset, length }: SpoolPlace, target: Float32Array): void {
    const bytes = new Uint8Array(target.buffer, target.byteOffset, length * 4);
    for (let done = 0; done < bytes.length;) {
      const count = readSync(this.#descriptor, bytes, done, bytes.length - done, offset + done);
      if (count === 0)
        throw new InputOutputError(`a temporary file in ${tmpdir()} was cut short; run again`, { folder: tmpdir() });
      done += count;
    }
  }

  /** Forgets what was appended; its room is used again. */
  clear(): void {
    this.#end = 0;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
