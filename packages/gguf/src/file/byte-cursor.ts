import { BadDataError } from "@mbs/contracts";

/** An open file, of which parts are read, never the whole. */
export interface ReadableFile {
  readonly path: string;
  readonly size: number;
  /** Fills `target` from byte `position`. @throws {BadDataError} where the file ends before */
  readInto(position: number, target: Uint8Array): void;
}

const windowBytes = 1024 * 1024;

/**
 * Reads numbers and texts of a file one after the other, through a window of bounded size. Nothing is allocated for a length
 * before the file is known to have so many bytes.
 */
export class ByteCursor {
  readonly #file: ReadableFile;
  readonly #limit: number;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  /** Offset of the window in the file. */
  #start = 0;
  #next = 0;

  /** @param limit offset beyond which nothing is read */
  constructor(file: ReadableFile, limit: number) {
    this.#file = file;
    this.#limit = limit;
  }

  /** Offset in the file of what is read next. */
  get offset(): number {
    return this.#start + this.#next;
  }

  /** @throws {BadDataError} where the file or the limit ends before `count` more bytes */
  require(count: number, what: string): void {
    const { path, size } = this.#file;
    const end = this.offset + count;
    if (end > size) {
      throw new BadDataError(
        `${path} is cut short: ${what} at offset ${this.offset} needs ${end} bytes, the file has ${size}; copy it again`,
        {
          file: path,
          offset: this.offset,
          expected: end,
          actual: size,
        },
      );
    }
    if (end > this.#limit) {
      throw new BadDataError(
        `${path}: ${what} at offset ${this.offset} makes the header longer than the ${this.#limit} bytes allowed; this is no GGUF model`,
        { file: path, offset: this.offset, expected: end, limit: this.#limit },
      );
    }
  }

  /** Advances by `count` bytes and returns where they are in the window. */
  #take(count: number, what: string): number {
    this.require(count, what);
    if (this.#next + count > this.#bytes.length) {
      const start = this.offset;
      const window = new Uint8Array(Math.min(Math.max(windowBytes, count), this.#file.size - start));
      this.#file.readInto(start, window);
      this.#bytes = window;
      this.#view = new DataView(window.buffer);
      this.#start = start;
      this.#next = 0;
    }
    const at = this.#next;
    this.#next += count;
    return at;
  }

  bytes(count: number, what: string): Uint8Array {
    const at = this.#take(count, what);
    return this.#bytes.subarray(at, at + count);
  }

  u8(what: string): number {
    const at = this.#take(1, what);
    return this.#view.getUint8(at);
  }

  i8(what: string): number {
    const at = this.#take(1, what);
    return this.#view.getInt8(at);
  }

  u16(what: string): number {
    const at = this.#take(2, what);
    return this.#view.getUint16(at, true);
  }

  i16(what: string): number {
    const at = this.#take(2, what);
    return this.#view.getInt16(at, true);
  }

  u32(what: string): number {
    const at = this.#take(4, what);
    return this.#view.getUint32(at, true);
  }

  i32(what: string): number {
    const at = this.#take(4, what);
    return this.#view.getInt32(at, true);
  }

  u64(what: string): bigint {
    const at = this.#take(8, what);
    return this.#view.getBigUint64(at, true);
  }

  i64(what: string): bigint {
    const at = this.#take(8, what);
    return this.#view.getBigInt64(at, true);
  }

  f32(what: string): number {
    const at = this.#take(4, what);
    return this.#view.getFloat32(at, true);
  }

  f64(what: string): number {
    const at = this.#take(8, what);
    return this.#view.getFloat64(at, true);
  }

  /** A number of 64 bits that is a length. @throws {BadDataError} above `most` */
  count(what: string, most: number): number {
    const { offset } = this;
    const value = this.u64(what);
    if (value > BigInt(most)) {
      throw new BadDataError(
        `${this.#file.path}: ${what} at offset ${offset} claims ${value}, at most ${most} are allowed; this is no GGUF model`,
        { file: this.#file.path, offset, claimed: String(value) },
      );
    }
    return Number(value);
  }

  /** @throws {BadDataError} where it is longer than `most` bytes, or no UTF-8 */
  text(what: string, most: number): string {
    const length = this.count(`the length of ${what}`, most);
    const { offset } = this;
    const bytes = this.bytes(length, what);
    try {
      return this.#utf8.decode(bytes);
    } catch (cause) {
      throw new BadDataError(
        `${this.#file.path}: ${what} at offset ${offset} is not UTF-8; convert the model again`,
        { file: this.#file.path, offset },
        { cause },
      );
    }
  }
}
