import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputOutputError } from "@mbs/contracts";

/** The bytes of one append. */
export interface ScratchSlot {
  readonly offset: number;
  readonly length: number;
}

/** The bytes below a typed array. */
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/**
 * Bytes in a nameless temporary file, for what is written once, read in another order, and too large for memory. The
 * file is gone as soon as the process ends, however it ends.
 */
export class ScratchFile {
  readonly #descriptor: number;
  #end = 0;

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "mbs-scratch-"));
    this.#descriptor = openSync(join(folder, "bytes"), "w+", 0o600);
    rmSync(folder, { recursive: true });
  }

  append(values: ArrayBufferView): ScratchSlot {
    const slot = { offset: this.#end, length: values.byteLength };
    this.overwrite(slot, values);
    this.#end += slot.length;
    return slot;
  }

  /**
   * Overwrites a slot with values of the same length.
   *
   * @throws {InputOutputError} when the disk is full
   */
  overwrite({ offset }: ScratchSlot, values: ArrayBufferView): void {
    const bytes = bytesOf(values);
    try {
      let done = 0;
      while (done < bytes.length) done += writeSync(this.#descriptor, bytes, done, bytes.length - done, offset + done);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new InputOutputError(
        `cannot write ${bytes.length} bytes to ${tmpdir()} (${reason}); free space there or set TMPDIR`,
        { folder: tmpdir() },
        { cause },
      );
    }
  }

  read(slot: ScratchSlot): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(slot.length);
    this.readInto(slot, bytes);
    return bytes;
  }

  /** Fills the start of `target`. */
  readInto({ offset, length }: ScratchSlot, target: ArrayBufferView): void {
    const bytes = bytesOf(target);
    let done = 0;
    while (done < length) {
      const count = readSync(this.#descriptor, bytes, done, length - done, offset + done);
      if (count === 0)
        throw new InputOutputError(`a temporary file in ${tmpdir()} was cut short; run again`, { folder: tmpdir() });
      done += count;
    }
  }

  /** Forgets what was appended, so that its space is used again. */
  clear(): void {
    this.#end = 0;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
